using Recall.Tokenization.Unicode;

namespace Recall.Tests.Tokenization.Unicode;

/// <summary>Normal forms against the Unicode Standard's own examples, and Oniguruma's regexes against what Oniguruma finds.</summary>
public class UnicodeTests
{
    [Theory]
    [InlineData("e\u0301", "\u00E9", "e\u0301", "\u00E9", "e\u0301")]
    [InlineData("\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A")]
    [InlineData("\uFB01", "\uFB01", "\uFB01", "fi", "fi")]
    [InlineData("\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307")]
    [InlineData("\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C")]
    [InlineData("\uD55C\uAE00", "\uD55C\uAE00", "\u1112\u1161\u11AB\u1100\u1173\u11AF", "\uD55C\uAE00", "\u1112\u1161\u11AB\u1100\u1173\u11AF")]
    [InlineData("a\u0327\u0301\u0301", "\u00E1\u0327\u0301", "a\u0327\u0301\u0301", "\u00E1\u0327\u0301", "a\u0327\u0301\u0301")]
    [InlineData("\uD834\uDD5E", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65", "\uD834\uDD57\uD834\uDD65")]
    public void NormalFormsAreThoseOfTheStandard(string text, string nfc, string nfd, string nfkc, string nfkd)
    {
        Assert.Equal(nfc, UnicodeNormalization.Normalize(text, compatible: false, compose: true));
        Assert.Equal(nfd, UnicodeNormalization.Normalize(text, compatible: false, compose: false));
        Assert.Equal(nfkc, UnicodeNormalization.Normalize(text, compatible: true, compose: true));
        Assert.Equal(nfkd, UnicodeNormalization.Normalize(text, compatible: true, compose: false));
    }

    [Theory]
    [InlineData(@"[^(\s|[.,!?])]+", "a(b|c. d", "a/b/c/d")]
    [InlineData(@"[a-z&&[^aeiou]]+", "hello", "h/ll")]
    [InlineData(@"\p{L}++", "ab1c", "ab/c")]
    [InlineData(@"a?+a", "aa a", "aa")]
    [InlineData(@"(?m:a.b)", "a\nb", "a\nb")]
    [InlineData(@"^b$", "a\nb\nc", "b")]
    [InlineData(@"\h+", "xyz12fG", "12f")]
    [InlineData(@"\p{^L}+", "a12b", "12")]
    [InlineData(@"[\p{Han}]+", "a\u4E2D\uD840\uDC00b", "\u4E2D\uD840\uDC00")]
    [InlineData(@"\p{So}", "a\uD83D\uDE00b", "\uD83D\uDE00")]
    [InlineData(@"[\W&&[^ ]]", "a !", "!")]
    [InlineData(@"x{,2}y", "xxxy", "xxy")]
    [InlineData(@"a{x}", "a{x}", "a{x}")]
    [InlineData("[]a]+", "]a[", "]a")]
    [InlineData(@"[\x41-\u0043-]+", "A-CD", "A-C")]
    public void RegexesFindWhatOnigurumaFinds(string pattern, string text, string matches)
    {
        var found = new List<(int Start, int End)>();
        TextPattern.Parse(pattern, "test").Find(text, found);
        Assert.Equal(matches, string.Join('/', found.Select(match => text[match.Start..match.End])));
    }

    [Theory]
    [InlineData(@"(?<n>a)\k<n>")]
    [InlineData(@"\R")]
    [InlineData("[[:alpha:]]")]
    [InlineData("(?~a)")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("[z-a]")]
    [InlineData("\\")]
    [InlineData(@"\x{110000}")]
    [InlineData("\U0001F600")]
    [InlineData("*a")]
    [InlineData("a{1,9999999}")]
    public void WhatHasNoCounterpartIsRefused(string pattern)
    {
        var error = Assert.Throws<RecallException>(() => TextPattern.Parse(pattern, "place"));
        Assert.StartsWith("place: ", error.Message);
    }

    [Fact]
    public void RangeThatAstralCharactersWouldMatchByMistakeIsAnError()
    {
        var pattern = TextPattern.Parse("[\uA480-\uA4A0]", "place");
        pattern.Find("\uA490", []);
        Assert.Throws<RecallException>(() => pattern.Find("\U0001F600", []));
    }
}
