using YamlDotNet.Core;
using YamlDotNet.Core.Tokens;

namespace Recall.Configuration.Yaml;

/// <summary>
/// YamlDotNet's scanner, with a look ahead that stays where it is until the token is consumed. Its own moves on each time it is asked, and the
/// parser of 18.1 asks twice after an anchored scalar inside braces: <c>{model: &amp;a x, weight: 1}</c> would lose its comma and be refused.
/// </summary>
sealed class TokenReader(TextReader text) : IScanner
{
    readonly Scanner _scanner = new(text);

    public Mark CurrentPosition => _scanner.CurrentPosition;

    public Token? Current => _scanner.Current;

    public bool MoveNext() => _scanner.MoveNext();

    // After the stream's end the parser asks whether there is anything more, without having consumed it.
    public bool MoveNextWithoutConsuming() => _scanner.Current is not (null or StreamEnd) || _scanner.MoveNextWithoutConsuming();

    public void ConsumeCurrent() => _scanner.ConsumeCurrent();
}
