package config

import "strings"

// The lexer follows PHP's own (Zend/zend_ini_scanner.l, mode NORMAL): in each
// state the longest match wins, and of equally long ones the first in PHP's
// order. php-fpm hands its parser one line at a time, so a token never crosses a
// line, and so does this one.

type tokenKind int

const (
	tokEnd       tokenKind = iota // end of input, or input that no rule matches
	tokEndOfLine                  // a newline or a comment
	tokSection                    // [
	tokClose                      // ]
	tokAssign                     // =
	tokLabel                      // the name of a directive
	tokOffset                     // the name of a directive and [
	tokConstant                   // a word that may be a PHP constant
	tokText                       // text that stands for itself: number, blanks, quoted, variable …
	tokBool                       // true or false word, text "1" or ""
	tokOperator                   // & | ^ ~ ( ) !
	tokOther                      // a character that may not stand here
)

type token struct {
	kind tokenKind
	text string
}

type lexState int

const (
	stateInitial lexState = iota
	stateSection
	stateOffset
	stateValue
)

// maxNesting bounds parentheses, and variables inside the fallbacks of variables.
const maxNesting = 64

// maxValue bounds a value after variables and $pool were put in, in bytes.
const maxValue = 1 << 20

type lexer struct {
	line     string // ends with a newline
	pos      int
	state    lexState
	variable func(name string) (string, bool)
	constant func(name string) (string, bool)
	grown    int    // bytes that variables have put in so far
	problem  string // why the line cannot be read
	doubt    string // what is read, but hardly as it was meant
}

// reject stops the lexer for good; the text says why.
func (l *lexer) reject(text string) token {
	if l.problem == "" {
		l.problem = text
	}
	l.pos = len(l.line)
	return token{kind: tokEnd}
}

// match collects candidates for the next token; the longest stays.
type match struct {
	length int
	kind   tokenKind
	rule   rule
}

type rule int

const (
	rulePlain rule = iota
	ruleTrue
	ruleFalse
	ruleVariable
	ruleQuote
	ruleApostrophes
	ruleSecondAssign
	ruleLost // an apostrophe without a second one: PHP ignores the rest of the line
	ruleSkip
)

func (m *match) offer(length int, kind tokenKind, r rule) {
	if length > m.length {
		*m = match{length, kind, r}
	}
}

// next returns the next token; after the end it goes on returning tokEnd.
func (l *lexer) next() token {
	for {
		if l.pos >= len(l.line) {
			if l.state == stateValue {
				l.state = stateInitial
				return token{kind: tokEndOfLine}
			}
			return token{kind: tokEnd}
		}
		if l.pos == 0 && strings.HasPrefix(l.line, "\xef\xbb\xbf") && len(l.line) > 3 {
			l.pos = 3 // byte order mark
			continue
		}
		var m match
		switch l.state {
		case stateInitial:
			l.matchInitial(&m)
		case stateValue:
			l.matchValue(&m)
		default:
			l.matchBrackets(&m)
		}
		if m.rule == ruleSkip {
			l.pos += m.length
			continue
		}
		return l.take(m)
	}
}

func (l *lexer) matchInitial(m *match) {
	s := l.line[l.pos:]
	blanks := span(s, isBlank)
	label := span(s, isLabel)
	if s[0] == '[' {
		m.offer(1, tokSection, rulePlain)
	}
	if label > 0 && label < len(s) && s[label] == '[' {
		m.offer(label+1+span(s[label+1:], isBlank), tokOffset, rulePlain)
	}
	m.offer(boolWord(s, trueWords), tokBool, ruleTrue)
	m.offer(boolWord(s, falseWords), tokBool, ruleFalse)
	m.offer(label, tokLabel, rulePlain)
	if blanks < len(s) && s[blanks] == '=' {
		m.offer(blanks+1+span(s[blanks+1:], isBlank), tokAssign, rulePlain)
	}
	m.offer(blanks, tokOther, ruleSkip)
	l.matchLineEnd(m, s, blanks)
	m.offer(1, tokOther, rulePlain)
}

func (l *lexer) matchValue(m *match) {
	s := l.line[l.pos:]
	blanks := span(s, isBlank)
	l.matchQuoted(m, s, blanks)
	m.offer(boolWord(s, trueWords), tokBool, ruleTrue)
	m.offer(boolWord(s, falseWords), tokBool, ruleFalse)
	m.offer(constantLength(s), tokConstant, rulePlain)
	m.offer(numberLength(s), tokText, rulePlain)
	if isOperator(s[0]) {
		m.offer(1+span(s[1:], isBlank), tokOperator, rulePlain)
	}
	if s[0] == '=' {
		m.offer(1, tokEndOfLine, ruleSecondAssign)
	}
	m.offer(longestRun(s, isValueByte, false), tokText, rulePlain)
	m.offer(blanks, tokText, rulePlain)
	l.matchLineEnd(m, s, blanks)
	m.offer(1, tokEndOfLine, rulePlain) // anything else ends the value
}

// matchBrackets is for what stands between [ and ].
func (l *lexer) matchBrackets(m *match) {
	s := l.line[l.pos:]
	blanks := span(s, isBlank)
	l.matchQuoted(m, s, blanks)
	if l.state == stateSection && s[0] == ']' {
		n := 1 + span(s[1:], isBlank)
		m.offer(n+newline(s[n:]), tokClose, rulePlain)
	}
	if l.state == stateOffset && blanks < len(s) && s[blanks] == ']' {
		m.offer(blanks+1, tokClose, rulePlain)
	}
	m.offer(constantLength(s), tokConstant, rulePlain)
	m.offer(numberLength(s), tokText, rulePlain)
	m.offer(longestRun(s, isBracketByte, true), tokText, rulePlain)
	m.offer(blanks, tokText, rulePlain)
	m.offer(1, tokEnd, rulePlain)
}

// matchQuoted offers what is quoted and what stands for a variable.
func (l *lexer) matchQuoted(m *match, s string, blanks int) {
	if s[0] == '\'' {
		switch end := strings.IndexByte(s[1:], '\''); {
		case end > 0:
			m.offer(end+2, tokText, ruleApostrophes)
		case end < 0:
			m.offer(len(s), tokEnd, ruleLost)
		}
	}
	if strings.HasPrefix(s, "${") {
		m.offer(2, tokText, ruleVariable)
	}
	if blanks < len(s) && s[blanks] == '"' {
		m.offer(blanks+1, tokText, ruleQuote)
	}
}

// matchLineEnd offers a newline and a comment, each with the blanks before it.
func (l *lexer) matchLineEnd(m *match, s string, blanks int) {
	if n := newline(s[blanks:]); n > 0 {
		m.offer(blanks+n, tokEndOfLine, rulePlain)
	}
	if blanks < len(s) && s[blanks] == ';' {
		if end := strings.IndexAny(s[blanks:], "\r\n"); end >= 0 {
			m.offer(blanks+end+newline(s[blanks+end:]), tokEndOfLine, rulePlain)
		}
	}
}

// take consumes the match and moves to the state that follows it.
func (l *lexer) take(m match) token {
	text := l.line[l.pos : l.pos+m.length]
	l.pos += m.length
	switch m.rule {
	case ruleTrue:
		return token{tokBool, "1"}
	case ruleFalse:
		return token{tokBool, ""}
	case ruleApostrophes:
		return token{tokText, text[1 : len(text)-1]}
	case ruleVariable:
		return l.takeVariable(0)
	case ruleQuote:
		return l.takeQuoted(0)
	case ruleLost:
		l.state = stateInitial
		l.doubt = "an apostrophe without a second one ends the value, and the rest of the line is ignored: put the value in double quotes"
		return token{kind: tokEnd}
	case ruleSecondAssign:
		l.pos-- // a second = ends the value, and is then out of place
		l.state = stateInitial
		return token{kind: tokEndOfLine}
	}
	switch m.kind {
	case tokSection:
		l.state = stateSection
	case tokOffset:
		l.state = stateOffset
		text = strings.TrimRight(strings.TrimLeft(text, " \t"), "[\n\r\t ")
	case tokLabel:
		text = strings.TrimRight(strings.TrimLeft(text, " \t"), "\n\r\t ")
	case tokClose, tokEndOfLine:
		l.state = stateInitial
	case tokAssign:
		l.state = stateValue
	case tokOperator:
		text = text[:1]
	case tokEnd:
		return l.reject("")
	}
	return token{m.kind, text}
}

// takeVariable reads the rest of ${NAME} or ${NAME:-fallback}, which PHP knows
// since 8.3, and returns its value.
func (l *lexer) takeVariable(depth int) token {
	if depth > maxNesting {
		return l.reject("variables are nested too deeply")
	}
	s := l.line[l.pos:]
	n := span(s, isLabel)
	if i := strings.Index(s[:n], ":-"); i >= 0 {
		n = i
	}
	name := strings.TrimRight(strings.TrimLeft(s[:n], " \t"), "\n\r\t ")
	if n == 0 {
		return l.reject("the name of a variable is missing after '${'")
	}
	l.pos += n
	fallback := ""
	if strings.HasPrefix(l.line[l.pos:], ":-") {
		l.pos += 2
		var ok bool
		if fallback, ok = l.takeFallback(depth); !ok {
			return token{kind: tokEnd}
		}
	}
	if l.pos >= len(l.line) || l.line[l.pos] != '}' {
		return l.reject("'}' is missing after '${" + name + "'")
	}
	l.pos++
	value, known := l.variable(name)
	if !known {
		value = fallback
	}
	if l.grown += len(value); l.grown > maxValue {
		return l.reject("the value is too long with its variables put in")
	}
	return token{tokText, value}
}

func (l *lexer) takeFallback(depth int) (string, bool) {
	var b strings.Builder
	for {
		s := l.line[l.pos:]
		var part token
		switch n := span(s, isFallbackByte); {
		case strings.HasPrefix(s, "${"):
			l.pos += 2
			part = l.takeVariable(depth + 1)
		case strings.HasPrefix(s, `"`):
			l.pos++
			part = l.takeQuoted(depth + 1)
		case n > 0:
			if i := strings.Index(s[:n], "${"); i > 0 {
				n = i
			}
			l.pos += n
			part = token{tokText, s[:n]}
			if constantLength(s) == n {
				part.text = l.resolve(s[:n])
			}
		default:
			return b.String(), true
		}
		if part.kind == tokEnd {
			return "", false
		}
		if b.WriteString(part.text); b.Len() > maxValue {
			l.reject("the value is too long with its variables put in")
			return "", false
		}
	}
}

// takeQuoted reads the rest of a string in double quotes.
func (l *lexer) takeQuoted(depth int) token {
	var b strings.Builder
	for l.pos < len(l.line) {
		s := l.line[l.pos:]
		switch {
		case s[0] == '"':
			l.pos += 1 + span(s[1:], isBlank)
			return token{tokText, b.String()}
		case strings.HasPrefix(s, "${"):
			l.pos += 2
			part := l.takeVariable(depth)
			if part.kind == tokEnd {
				return part
			}
			b.WriteString(part.text)
		case s[0] == '\\' && len(s) > 1:
			l.pos++
			switch next := s[1]; {
			case next == '"' && (len(s) == 2 || s[2] == '\n' || s[2] == '\r'):
				b.WriteByte('\\') // "C:\path\" at the end of a line
			case next == '"' || next == '\\' || next == '$':
				b.WriteByte(next)
				l.pos++
			default:
				b.WriteByte('\\')
				b.WriteByte(next)
				l.pos++
			}
		default:
			b.WriteByte(s[0])
			l.pos++
		}
	}
	return l.reject("a string in double quotes does not end on its line")
}

// resolve replaces the name of a constant by its value. true, false and null are
// constants, too, where they are no words of their own, and in any case of letters.
func (l *lexer) resolve(word string) string {
	if value, ok := l.constant(word); ok {
		return value
	}
	switch strings.ToLower(word) {
	case "true":
		return "1"
	case "false", "null":
		return ""
	}
	return word
}
