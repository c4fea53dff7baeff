package config

import "strings"

// The character classes of PHP's ini lexer.

var (
	trueWords  = []string{"true", "on", "yes"}
	falseWords = []string{"false", "off", "none", "no", "null"}
)

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isLabel(c byte) bool { return strings.IndexByte("=\n\r\t;&|^$~(){}!\"[", c) < 0 }

func isOperator(c byte) bool { return strings.IndexByte("&|^~()!", c) >= 0 }

func isValueByte(c byte) bool { return strings.IndexByte("$= \t\n\r;&|^~()!\"'\x00", c) < 0 }

func isBracketByte(c byte) bool { return strings.IndexByte("$\n\r;\"']\\", c) < 0 }

func isFallbackByte(c byte) bool { return strings.IndexByte("\n\r;\"'}\x00", c) < 0 }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// span counts the bytes at the beginning of s that are in a class.
func span(s string, in func(byte) bool) int {
	for i := 0; i < len(s); i++ {
		if !in(s[i]) {
			return i
		}
	}
	return len(s)
}

// newline is the length of a line's end at the beginning of s, or 0.
func newline(s string) int {
	switch {
	case strings.HasPrefix(s, "\r\n"):
		return 2
	case s != "" && (s[0] == '\r' || s[0] == '\n'):
		return 1
	}
	return 0
}

// boolWord is the length of the longest of the words that s begins with, in
// upper or lower case, with the blanks after it.
func boolWord(s string, words []string) int {
	longest := 0
	for _, w := range words {
		if len(s) >= len(w) && strings.EqualFold(s[:len(w)], w) {
			longest = max(longest, len(w)+span(s[len(w):], isBlank))
		}
	}
	return longest
}

func constantLength(s string) int {
	if s == "" || !isLetter(s[0]) {
		return 0
	}
	return span(s, func(c byte) bool { return isLetter(c) || isDigit(c) })
}

// numberLength matches -?[0-9]+ and decimal fractions, which take no sign.
func numberLength(s string) int {
	whole := span(s, isDigit)
	if strings.HasPrefix(s, "-") {
		if n := span(s[1:], isDigit); n > 0 {
			return n + 1
		}
		return 0
	}
	if whole < len(s) && s[whole] == '.' {
		if fraction := span(s[whole+1:], isDigit); whole+fraction > 0 {
			return whole + 1 + fraction
		}
	}
	return whole
}

// longestRun is the length of the longest beginning of s that consists of plain
// bytes, of a $ with the byte after it (but never "${"), of a $ with a backslash
// and the byte after that, and, if escapes is set, of a backslash with the byte
// after it. These overlap, so all ways to read s are followed at once: bit k of
// ends says that a part may end k bytes further on.
func longestRun(s string, plain func(byte) bool, escapes bool) int {
	longest := 0
	ends := uint8(1)
	for i := 0; ends != 0; i, ends = i+1, ends>>1 {
		if ends&1 == 0 {
			continue
		}
		longest = i
		if i >= len(s) {
			break
		}
		if plain(s[i]) {
			ends |= 1 << 1
		}
		if escapes && s[i] == '\\' && i+1 < len(s) {
			ends |= 1 << 2
		}
		if s[i] == '$' && i+1 < len(s) && s[i+1] != '{' && s[i+1] != 0 {
			ends |= 1 << 2
			if s[i+1] == '\\' && i+2 < len(s) {
				ends |= 1 << 3
			}
		}
	}
	return longest
}
