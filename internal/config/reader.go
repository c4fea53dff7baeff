package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Limits of what is read. They are far above any real configuration; what they
// do is to keep a wrong file from taking the machine with it.
const (
	maxFileSize   = 8 << 20  // bytes of one file
	maxLineLength = 64 << 10 // bytes of one line
	maxFiles      = 10_000   // files of one configuration, each include counted
	maxPools      = 10_000
	maxTotal      = 256 << 20 // bytes of all values, after expansion
	maxPoolName   = 255       // bytes
	maxDepth      = 5         // files that include each other, the first one counted
)

// loader reads files into a configuration. It implements statements.
type loader struct {
	opts     Options
	paths    paths
	sys      *system
	cfg      *Config
	messages []Message

	env     environment
	pools   map[string]*Pool // by name in lower case
	current *Pool            // nil in [global]; survives the end of a file, as in php-fpm
	at      origin
	include *string // the include that this line asks for
	files   int
	depth   int
	total   int
}

func newLoader(opts Options) *loader {
	l := &loader{opts: opts, paths: paths{opts.Prefix}, sys: opts.sys, pools: map[string]*Pool{}}
	if l.sys == nil {
		l.sys = realSystem()
	}
	l.cfg = &Config{Global: newGlobal()}
	l.env = environment{
		variable: func(name string) (string, bool) {
			if value, ok := opts.Variables[name]; ok {
				return value, true
			}
			return l.sys.getenv(name)
		},
		constant: func(name string) (string, bool) {
			if value, ok := opts.Constants[name]; ok {
				return value, true
			}
			value, ok := constants[name]
			return value, ok
		},
	}
	return l
}

// here makes an error about the current line.
func (l *loader) here(format string, args ...any) error {
	return failf(LevelError, "[%s:%d] %s", l.at.file, l.at.line, fmt.Sprintf(format, args...))
}

// warnHere adds a warning about the current line.
func (l *loader) warnHere(format string, args ...any) {
	l.messages = append(l.messages, Message{LevelWarning, fmt.Sprintf("[%s:%d] %s", l.at.file, l.at.line, fmt.Sprintf(format, args...))})
}

func (l *loader) file(name string) error {
	if name == "" {
		return fail(LevelError, "configuration filename is empty")
	}
	text, err := readFile(name)
	if err != nil {
		return err
	}
	if l.depth++; l.depth > maxDepth {
		return failf(LevelError, "failed to include more than %d files recursively", maxDepth)
	}
	defer func() { l.depth-- }()
	if l.files++; l.files > maxFiles {
		return failf(LevelError, "failed to include more than %d files", maxFiles)
	}
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		l.at = origin{name, n}
		if len(line) > maxLineLength {
			return l.here("the line is too long: %d bytes, and at most %d are read", len(line), maxLineLength)
		}
		if line == "" {
			continue
		}
		doubt, err := parseLine(line, l.env, l)
		if err != nil {
			var syntax *syntaxError
			if errors.As(err, &syntax) {
				return l.here("syntax error, %s", syntax.text)
			}
			return err
		}
		if doubt != "" {
			l.warnHere("%s", doubt)
		}
		if l.include != nil {
			pattern := l.paths.full(*l.include, nil, defaultPrefix)
			l.include = nil
			if err := l.includeAll(pattern); err != nil {
				return err
			}
		}
	}
	return nil
}

func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", failf(LevelError, "failed to open configuration file '%s': %s", name, reason(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return "", failf(LevelError, "failed to read configuration file '%s': %s", name, reason(err))
	}
	if len(text) > maxFileSize {
		return "", failf(LevelError, "the configuration file '%s' is too large: at most %d bytes are read", name, maxFileSize)
	}
	return string(text), nil
}

func (l *loader) includeAll(pattern string) error {
	at := l.at
	names, err := glob(pattern)
	if err != nil {
		return failf(LevelError, "Unable to globalize '%s' (%s) from %s at line %d.", pattern, reason(err), at.file, at.line)
	}
	if len(names) == 0 {
		l.messages = append(l.messages, Message{LevelWarning,
			fmt.Sprintf("Nothing matches the include pattern '%s' from %s at line %d.", pattern, at.file, at.line)})
	}
	for _, name := range names {
		if isDir(name) {
			continue
		}
		err := notRegular(name)
		if err == nil {
			err = l.file(name)
		}
		if err != nil {
			return asError(err).because("Unable to include %s from %s at line %d", name, at.file, at.line)
		}
	}
	return nil
}

// notRegular keeps a pattern from reading a device or a pipe, which may never end.
// The main file may be one.
func notRegular(name string) error {
	if text := regularFile(name); text == "is not a file" {
		return failf(LevelError, "the configuration file '%s' %s", name, text)
	}
	return nil
}

// section switches to [global] or to a pool, a new one or one that is known.
func (l *loader) section(name string) error {
	if equalFoldASCII(name, "global") {
		l.current = nil
		return nil
	}
	if p := l.pools[strings.ToLower(name)]; p != nil {
		l.current = p
		return nil
	}
	switch {
	case len(name) > maxPoolName:
		return l.here("the name of the pool is too long: %d bytes, and at most %d are allowed", len(name), maxPoolName)
	case strings.ContainsAny(name, "\r\n") || strings.Contains(name, "$pool"):
		return l.here("'%s' cannot be the name of a pool", strings.NewReplacer("\r", "\\r", "\n", "\\n").Replace(name))
	case len(l.cfg.Pools) >= maxPools:
		return l.here("there are more than %d pools", maxPools)
	}
	l.current = newPool(name)
	l.pools[strings.ToLower(name)] = l.current
	l.cfg.Pools = append(l.cfg.Pools, l.current)
	return nil
}

func (l *loader) valueless(name string) error {
	return l.hint(l.here("value is NULL for a ZEND_INI_PARSER_ENTRY"), "'%s' needs an equals sign and a value", name)
}

func (l *loader) entry(name, value string) error {
	if name == "include" {
		if l.include != nil {
			return l.here("two includes at the same time !")
		}
		l.include = &value
		return nil
	}
	table, set := globalSettings, l.cfg.Global.set
	if l.current != nil {
		table, set = poolSettings, l.current.set
	}
	s := lookup(table, name)
	if s == nil || s.Kind == KindMap || s.Kind == KindList || s.Kind == KindInclude {
		return l.unknown(s, name)
	}
	if s.Kind == KindString {
		var err error
		if value, err = l.expandPool(value); err != nil {
			return l.here("unable to parse value for entry '%s': %v", s.Name, err)
		}
	}
	if err := l.account(value); err != nil {
		return err
	}
	problem, doubt := s.assign(s.field(&l.cfg.Global, l.current), value)
	if problem != "" {
		return l.here("unable to parse value for entry '%s': %s", s.Name, problem)
	}
	if doubt != "" {
		l.warnHere("'%s = %s' %s", s.Name, value, doubt)
	}
	set[s.Name] = l.at
	return nil
}

// unknown is the error about a directive that does not exist here, with a hint at
// the commonest ways to get there.
func (l *loader) unknown(s *Setting, name string) error {
	err := l.here("unknown entry '%s'", name)
	switch {
	case s != nil && s.Kind == KindMap:
		return l.hint(err, "'%s' takes a key: %s[name] = value", name, s.Name)
	case s != nil && s.Kind == KindList:
		return l.hint(err, "'%s' is a list: %s[] = value", name, s.Name)
	case l.current == nil && lookup(poolSettings, name) != nil:
		return l.hint(err, "'%s' belongs into the section of a pool", name)
	case l.current != nil && lookup(globalSettings, name) != nil:
		return l.hint(err, "'%s' belongs into the section [global]", name)
	}
	return err
}

// hint adds a line of our own to an error in php-fpm's words.
func (l *loader) hint(err error, format string, args ...any) error {
	e := asError(err)
	e.Lines = append(e.Lines, Message{LevelNotice, fmt.Sprintf("[%s:%d] ", l.at.file, l.at.line) + fmt.Sprintf(format, args...)})
	return e
}

func (l *loader) array(name, key, value string) error {
	s := lookup(poolSettings, name)
	list := s != nil && s.Kind == KindList && s.Name == name
	switch {
	case list && s.Own && key != "":
		return l.here("'%s' takes no key: %s[] = value", name, name)
	case list && key != "":
		return l.here("Keys provided to field '%s' are ignored", name)
	case name == "access.suppress_path" && !strings.HasPrefix(value, "/"):
		return l.here("Values provided to field '%s' must begin with '/'", name)
	case list && value == "":
		return l.here("empty value")
	case !list && key == "":
		return l.here("You must provide a key for field '%s'", name)
	case l.current == nil:
		return l.here("Array are not allowed in the global section")
	case s == nil || s.Name != name || s.Kind != KindMap && !list:
		return l.here("unknown directive '%s'", name)
	case name == "env" && value == "":
		return l.here("empty value")
	}
	if strings.ContainsAny(key, "\x00=") {
		return l.here("error while parsing '%s[%s]' : the key has a byte that cannot be in it", name, key)
	}
	expanded, err := l.expandPool(value)
	if err == nil && strings.HasSuffix(name, "_flag") {
		expanded = "0"
		on, problem := parseBoolean(value)
		if on {
			expanded = "1"
		}
		if problem != "" {
			err = errors.New(problem)
		}
	}
	if err == nil && list {
		if problem, _ := s.assign(s.field(nil, l.current), expanded); problem != "" {
			err = errors.New(problem)
		}
	}
	if err != nil {
		return l.here("error while parsing '%s[%s]' : %v", name, key, err)
	}
	l.current.set[name] = l.at
	if !list {
		l.current.entries = append(l.current.entries, entry{name, key, expanded})
	}
	return l.account(expanded)
}

// expandPool replaces $pool.
func (l *loader) expandPool(value string) (string, error) {
	n := strings.Count(value, "$pool")
	switch {
	case n == 0:
		return value, nil
	case l.current == nil:
		//lint:ignore ST1005 php-fpm's text
		return "", errors.New("Can't use '$pool' when the pool is not defined")
	case len(value)+n*len(l.current.Name) > maxValue:
		return "", errors.New("the value is too long")
	}
	return strings.ReplaceAll(value, "$pool", l.current.Name), nil
}

// account keeps the sum of all values bounded.
func (l *loader) account(value string) error {
	if l.total += len(value); l.total > maxTotal {
		return l.here("the values of this configuration are too long together: more than %d bytes", maxTotal)
	}
	return nil
}
