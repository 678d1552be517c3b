#!/usr/bin/env python3
"""Writes src/Recall/Tokenization/Unicode/normalization.txt from Python's unicodedata: decompositions, combining classes, compositions."""
import pathlib
import sys
import unicodedata as u

lines = [f"# Unicode {u.unidata_version}; D canonical, K compatible decomposition, C combining class: first-last class, P composed = pair"]
chars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and not 0xAC00 <= c < 0xD7A4]
hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)
for c in chars:
    d, k = u.normalize("NFD", c), u.normalize("NFKD", c)
    if d != c: lines.append(f"D {hexes(c)} {hexes(d)}")
    if k != d: lines.append(f"K {hexes(c)} {hexes(k)}")
runs = []
for c in chars:
    k = u.combining(c)
    if k and runs and runs[-1][1] == ord(c) - 1 and runs[-1][2] == k: runs[-1][1] = ord(c)
    elif k: runs.append([ord(c), ord(c), k])
lines += [f"C {a:X} {b:X} {k}" for a, b, k in runs]
for c in chars:
    parts = u.decomposition(c).split()
    if len(parts) == 2 and not parts[0].startswith("<") and u.normalize("NFC", "".join(chr(int(p, 16)) for p in parts)) == c:
        lines.append(f"P {hexes(c)} {' '.join(parts)}")
pathlib.Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="ascii")
