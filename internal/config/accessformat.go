package config

import (
	"fmt"
	"slices"
	"strings"
)

// defaultAccessFormat is php-fpm's when access.log is set and access.format is
// not. It leaves the query string out.
const defaultAccessFormat = `%R - %u %t "%m %r" %s`

// checkAccessFormat says what is wrong with an access.format, in php-fpm's words;
// "" if nothing is.
func checkAccessFormat(format string) string {
	modifier := ""
	for i := 0; i < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		modifier = ""
		if i++; i < len(format) && format[i] == '{' {
			end := strings.IndexByte(format[i:], '}')
			if end < 0 || i+end+1 >= len(format) {
				return "missing closing embrace in the access.format"
			}
			modifier = format[i+1 : i+end]
			i += end + 1
		}
		if i >= len(format) {
			return "" // a lone % at the end writes nothing
		}
		if text := checkToken(format[i], modifier); text != "" {
			return text
		}
	}
	return ""
}

// tokenModifiers are the words that may stand in braces before a token.
var tokenModifiers = map[byte]struct {
	words []string
	text  string
}{
	'C': {[]string{"total", "user", "system"}, "'total', 'user' or 'system'"},
	'd': {[]string{"seconds", "milliseconds", "milli", "miliseconds", "mili", "microseconds", "micro"},
		"'seconds', 'milli', 'milliseconds', 'micro' or 'microseconds'"},
	'M': {[]string{"bytes", "kilobytes", "kilo", "megabytes", "mega"}, "'bytes', 'kilo', 'kilobytes', 'mega' or 'megabytes'"},
}

func checkToken(token byte, modifier string) string {
	switch {
	case token == 'e' && modifier == "":
		return "the name of the environment variable must be set between embraces for %e"
	case token == 'o' && modifier == "":
		return "the name of the header must be set between embraces for %o"
	case strings.IndexByte("eotT", token) >= 0:
		return ""
	case tokenModifiers[token].words != nil:
		m := tokenModifiers[token]
		if modifier != "" && !slices.Contains(m.words, strings.ToLower(modifier)) {
			return fmt.Sprintf("only %s are allowed as a modifier for %%%c ('%s')", m.text, token, modifier)
		}
		return ""
	case strings.IndexByte("%flmnpPqQrRsu", token) < 0:
		return fmt.Sprintf("Invalid token in the access.format (%%%c)", token)
	case modifier != "":
		return fmt.Sprintf("embrace is not allowed for modifier %%%c", token)
	}
	return ""
}
