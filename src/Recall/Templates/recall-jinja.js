// Runs in the scope of huggingface-jinja.js, after it. Its classes are `var`s, so that parse() sees those put in their place here.

// Lines. Tokens and nodes carry none: the tokens read so far tell how many tags were opened, and the source where each tag stands.
let currentLine = 1;

function tagPlaces(source) {
  const places = [];
  for (let i = 0, line = 1; i + 1 < source.length; ++i) {
    if (source[i] === "\n") ++line;
    if (source[i] !== "{" || !"{%#".includes(source[i + 1])) continue;
    places.push({ start: i, line });
    const close = { "{": "}}", "%": "%}", "#": "#}" }[source[i + 1]];
    let quote = "";
    for (i += 2; i < source.length; ++i) {
      if (source[i] === "\n") ++line;
      if (quote !== "") {
        if (source[i] === "\\") ++i;
        else if (source[i] === quote) quote = "";
      } else if (close !== "#}" && (source[i] === "'" || source[i] === '"')) quote = source[i];
      else if (source.startsWith(close, i)) break;
    }
    ++i;
  }
  return places;
}

function tracked(tokens, places) {
  const opens = [TOKEN_TYPES.OpenStatement, TOKEN_TYPES.OpenExpression, TOKEN_TYPES.Comment];
  let tags = 0;
  const lines = tokens.map((token) => {
    if (opens.includes(token.type)) ++tags;
    return places[Math.min(Math.max(tags - 1, 0), places.length - 1)]?.line ?? 1;
  });
  return new Proxy(tokens, {
    get(target, key) {
      if (typeof key === "string" && key !== "length" && key in lines && lines[key] > currentLine) currentLine = lines[key];
      return target[key];
    },
  });
}

function withLine(Node) {
  return class extends Node {
    line = currentLine;
  };
}

If = withLine(If);
For = withLine(For);
SetStatement = withLine(SetStatement);
Macro = withLine(Macro);
MemberExpression = withLine(MemberExpression);
CallExpression = withLine(CallExpression);
Identifier = withLine(Identifier);
BinaryExpression = withLine(BinaryExpression);
FilterExpression = withLine(FilterExpression);
TestExpression = withLine(TestExpression);
UnaryExpression = withLine(UnaryExpression);
SliceExpression = withLine(SliceExpression);
CallStatement = withLine(CallStatement);
FilterStatement = withLine(FilterStatement);

/** The line of the first tag whose text alone is already refused: lexer errors say no place. */
function lexerErrorLine(source, options, places) {
  let low = 0, high = places.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    let refused = false;
    try {
      tokenize(source.slice(0, places[middle + 1].start), options);
    } catch {
      refused = true;
    }
    if (refused) high = middle;
    else low = middle + 1;
  }
  return places[low]?.line ?? 1;
}

function failure(error, line) {
  if (error instanceof RangeError && error.recall === undefined) throw error;
  return { error: String(error?.message ?? error), line: error?.line ?? line, unknown: error?.unknown };
}

function recallParse(source, trim) {
  const options = { lstrip_blocks: trim, trim_blocks: trim };
  // The lexer drops one line end at the end, which lm-eval keeps (keep_trailing_newline).
  if (!trim && source.endsWith("\n")) source += "\n";
  const places = tagPlaces(source);
  let tokens;
  try {
    tokens = tokenize(source, options);
  } catch (error) {
    return failure(error, lexerErrorLine(source, options, places));
  }
  currentLine = 1;
  try {
    return { program: parse(tracked(tokens, places)) };
  } catch (error) {
    if (error instanceof TypeError) error.message = "the template ends too early: a closing }} or a tag like {% endif %} is missing";
    return failure(error, currentLine);
  }
}

// Values print as Python prints them.
function floatText(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e16 || size < 1e-4))
    return value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
  const text = String(value);
  return text.includes(".") ? text : text + ".0";
}

function quoted(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escapes = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
  let result = quote;
  for (const c of text) {
    const code = c.codePointAt(0);
    if (c === quote) result += "\\" + c;
    else if (escapes[c] !== undefined) result += escapes[c];
    else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0xad) result += "\\x" + code.toString(16).padStart(2, "0");
    else result += c;
  }
  return result + quote;
}

function repr(value) {
  if (value instanceof StringValue) return quoted(value.value);
  if (value instanceof TupleValue) return value.value.length === 1 ? `(${repr(value.value[0])},)` : `(${value.value.map(repr).join(", ")})`;
  if (value instanceof ArrayValue) return `[${value.value.map(repr).join(", ")}]`;
  if (value instanceof ObjectValue) return `{${[...value.value].map(([key, item]) => `${quoted(key)}: ${repr(item)}`).join(", ")}}`;
  if (value instanceof BooleanValue) return value.value ? "True" : "False";
  if (value instanceof NullValue) return "None";
  if (value instanceof UndefinedValue) return "";
  return value.toString();
}

FloatValue.prototype.toString = function () {
  return floatText(this.value);
};
for (const Value of [ArrayValue, TupleValue, ObjectValue, BooleanValue, NullValue, UndefinedValue])
  Value.prototype.toString = function () {
    return repr(this);
  };

const statements = ["Set", "Macro", "Comment", "If", "For", "CallStatement", "FilterStatement", "Break", "Continue"];

class RecallInterpreter extends Interpreter {
  constructor(environment, strict) {
    super(environment);
    this.strict = strict;
  }

  evaluate(node, environment) {
    try {
      return super.evaluate(node, environment);
    } catch (error) {
      if (typeof error === "object" && error !== null && error.line === undefined && node?.line !== undefined) error.line = node.line;
      throw error;
    }
  }

  evaluateBlock(nodes, environment) {
    let result = "";
    for (const node of nodes) {
      const value = this.evaluate(node, environment);
      if (statements.includes(node.type)) {
        if (value instanceof StringValue) result += value.value;
        continue;
      }
      if (value instanceof UndefinedValue) this.refuse(node);
      else result += value.toString();
    }
    return new StringValue(result);
  }

  evaluateFor(node, environment) {
    if (node.iterable.type === "Identifier" && environment.lookupVariable(node.iterable.value) instanceof UndefinedValue) {
      this.refuse(node.iterable);
      return this.evaluateBlock(node.defaultBlock, environment);
    }
    return super.evaluateFor(node, environment);
  }

  evaluateMemberExpression(node, environment) {
    if (node.object.type === "Identifier" && environment.lookupVariable(node.object.value) instanceof UndefinedValue) this.refuse(node.object);
    return super.evaluateMemberExpression(node, environment);
  }

  refuse(node) {
    if (!this.strict) return;
    const error = new Error(node.type === "Identifier" ? `${node.value} is not there` : "a value is not there");
    if (node.type === "Identifier") error.unknown = node.value;
    if (node.line !== undefined) error.line = node.line;
    throw error;
  }
}

/** Numbers arrive as {"\u0000": text}: JSON alone cannot tell 1 from 1.0, nor hold an integer beyond 2^53. */
function toValue(input) {
  if (typeof input === "string") return new StringValue(input);
  if (input === null) return new NullValue();
  if (typeof input === "boolean") return new BooleanValue(input);
  if (Array.isArray(input)) return new ArrayValue(input.map(toValue));
  const number = input["\u0000"];
  if (typeof number === "string") {
    if (/[.eEnN]/.test(number)) return new FloatValue(Number(number));
    const integer = Number(number);
    return new IntegerValue(Number.isSafeInteger(integer) ? integer : BigInt(number));
  }
  return new ObjectValue(new Map(Object.entries(input).map(([key, value]) => [key, toValue(value)])));
}

function recallRender(program, json, strict) {
  try {
    const environment = new Environment();
    setupGlobals(environment);
    for (const [name, value] of Object.entries(JSON.parse(json))) environment.setVariable(name, toValue(value));
    return new RecallInterpreter(environment, strict).run(program).value;
  } catch (error) {
    return failure(error, 1);
  }
}
