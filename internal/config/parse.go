package config

import (
	"fmt"
	"strconv"
	"strings"
)

// statements is what a line of a configuration file can say. A returned error
// ends the parsing of the line.
type statements interface {
	section(name string) error
	entry(name, value string) error
	array(name, key, value string) error
	valueless(name string) error
}

// syntaxError is a line that is not in the format at all.
type syntaxError struct{ text string }

func (e *syntaxError) Error() string { return e.text }

// parser is PHP's grammar (Zend/zend_ini_parser.y) for one line.
type parser struct {
	lex     lexer
	tok     token
	depth   int
	inValue bool // a value has begun on this line; makes for a better hint
}

// environment is what can be named in a value.
type environment struct {
	variable func(name string) (string, bool)
	constant func(name string) (string, bool)
}

// parseLine reads one line, given without its newline. doubt is what a reader of
// the log should know about a line that PHP accepts without a word.
func parseLine(line string, env environment, to statements) (doubt string, err error) {
	if strings.IndexByte(line, 0) >= 0 {
		return "", &syntaxError{"unexpected NUL byte"}
	}
	p := &parser{lex: lexer{line: line + "\n", variable: env.variable, constant: env.constant}}
	p.advance()
	for {
		if err := p.statement(to); err != nil {
			return "", err
		}
		if p.tok.kind == tokEnd {
			if p.lex.problem != "" {
				return "", &syntaxError{p.lex.problem}
			}
			return p.lex.doubt, nil
		}
	}
}

func (p *parser) advance() { p.tok = p.lex.next() }

func (p *parser) statement(to statements) error {
	switch p.tok.kind {
	case tokEndOfLine:
		p.advance()
		return nil
	case tokEnd:
		return nil
	case tokSection:
		p.advance()
		name, err := p.text(false)
		if err != nil {
			return err
		}
		if p.tok.kind != tokClose {
			return p.unexpected("']'")
		}
		p.advance()
		return to.section(name)
	case tokLabel:
		name := p.tok.text
		p.advance()
		if p.tok.kind != tokAssign {
			return to.valueless(name)
		}
		value, err := p.value()
		if err != nil {
			return err
		}
		return to.entry(name, value)
	case tokOffset:
		name := p.tok.text
		p.advance()
		key, err := p.text(true)
		if err != nil {
			return err
		}
		if p.tok.kind != tokClose {
			return p.unexpected("']'")
		}
		p.advance()
		if p.tok.kind != tokAssign {
			return p.unexpected("'='")
		}
		value, err := p.value()
		if err != nil {
			return err
		}
		return to.array(name, key, value)
	}
	return p.unexpected("")
}

// value reads what stands after the equals sign.
func (p *parser) value() (string, error) {
	p.inValue = true
	p.advance()
	switch p.tok.kind {
	case tokEndOfLine:
		p.advance()
		return "", nil
	case tokBool:
		value := p.tok.text
		p.advance()
		return value, nil
	}
	return p.expression()
}

// expression reads operands between binary operators, which all bind equally.
func (p *parser) expression() (string, error) {
	left, err := p.operand()
	if err != nil {
		return "", err
	}
	for p.tok.kind == tokOperator && strings.Contains("|&^", p.tok.text) {
		op := p.tok.text
		p.advance()
		right, err := p.operand()
		if err != nil {
			return "", err
		}
		a, b := atoi(left), atoi(right)
		switch op {
		case "|":
			a |= b
		case "&":
			a &= b
		case "^":
			a ^= b
		}
		left = strconv.Itoa(int(a))
	}
	return left, nil
}

func (p *parser) operand() (string, error) {
	if p.tok.kind != tokOperator {
		return p.nonEmptyText()
	}
	if p.depth++; p.depth > maxNesting {
		return "", &syntaxError{"the value is nested too deeply"}
	}
	defer func() { p.depth-- }()
	switch op := p.tok.text; op {
	case "(":
		p.advance()
		value, err := p.expression()
		if err != nil {
			return "", err
		}
		if p.tok.kind != tokOperator || p.tok.text != ")" {
			return "", p.unexpected("')'")
		}
		p.advance()
		return value, nil
	case "~", "!":
		p.advance()
		value, err := p.operand()
		if err != nil {
			return "", err
		}
		n := atoi(value)
		switch {
		case op == "~":
			n = ^n
		case n == 0:
			n = 1
		default:
			n = 0
		}
		return strconv.Itoa(int(n)), nil
	}
	return "", p.unexpected("")
}

func (p *parser) nonEmptyText() (string, error) {
	if p.tok.kind != tokText && p.tok.kind != tokConstant {
		return "", p.unexpected("")
	}
	return p.text(true)
}

// text joins what stands side by side, nothing included.
func (p *parser) text(constants bool) (string, error) {
	var b strings.Builder
	for p.tok.kind == tokText || p.tok.kind == tokConstant {
		part := p.tok.text
		if constants && p.tok.kind == tokConstant {
			part = p.lex.resolve(part)
		}
		if b.WriteString(part); b.Len() > maxValue {
			return "", &syntaxError{"the value is too long with its variables put in"}
		}
		p.advance()
	}
	if p.lex.problem != "" {
		return "", &syntaxError{p.lex.problem}
	}
	return b.String(), nil
}

func (p *parser) unexpected(wanted string) error {
	if p.lex.problem != "" {
		return &syntaxError{p.lex.problem}
	}
	what := "'" + strings.TrimSpace(p.tok.text) + "'"
	switch p.tok.kind {
	case tokEnd, tokEndOfLine:
		what = "end of line"
	case tokSection:
		what = "'['"
	case tokClose:
		what = "']'"
	case tokAssign:
		what = "'='"
	case tokBool:
		what = "a boolean word"
	}
	text := "unexpected " + what
	if wanted != "" {
		text += ", expecting " + wanted
	}
	if p.inValue {
		text += fmt.Sprintf(" (put the value in double quotes if it has one of %s)", "= & | ^ ~ ( ) ! ; { }")
	}
	return &syntaxError{text}
}

// atoi is C's: blanks, a sign, digits, and whatever follows is left alone. Too
// large a number is cut to 32 bits as glibc's is.
func atoi(s string) int32 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	n := 0
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n = 1
	}
	n += span(s[n:], isDigit)
	v, _ := strconv.ParseInt(strings.TrimPrefix(s[:n], "+"), 10, 64) // clamps when out of range
	return int32(v)
}
