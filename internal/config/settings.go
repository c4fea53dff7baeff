package config

import "slices"

// Section is where a directive may stand.
type Section string

const (
	SectionGlobal Section = "global"
	SectionPool   Section = "pool"
)

// Kind is how a directive's value is read and shown.
type Kind string

const (
	KindString   Kind = "string"
	KindInteger  Kind = "integer"
	KindBoolean  Kind = "boolean"
	KindTime     Kind = "time"     // seconds, or a whole number with s, m, h or d
	KindMillis   Kind = "duration" // as time, and ms
	KindSize     Kind = "size"     // bytes, with a unit of k, M or G
	KindLevel    Kind = "log level"
	KindFacility Kind = "syslog facility"
	KindRlimit   Kind = "integer or unlimited"
	KindPM       Kind = "process manager"
	KindChoice   Kind = "choice"
	KindList     Kind = "list" // name[] = value, several times
	KindMap      Kind = "map"  // name[key] = value, several times
	KindInclude  Kind = "files"
)

// Effect says whether a directive does anything in this version.
type Effect int

const (
	EffectFull   Effect = iota
	EffectNotYet        // read and checked; what it asks for is not there yet
	EffectNone          // read and checked; there is nothing here for it to change
)

// Setting is one row of the table: all that is known about a directive.
type Setting struct {
	Name    string
	Section Section
	Kind    Kind
	Default string   // as it would be written; "" = not set
	Choices []string // the values of a KindChoice
	Own     bool     // a directive of php-supervisor, unknown to php-fpm
	Since   string   // php-fpm's version that brought it, "" = older than 8.2
	Effect  Effect
	Why     string // EffectNone: why there is nothing to do
	Help    string // what it does, in Markdown

	global func(*Global) any // a pointer to the field, for rows of that section
	pool   func(*Pool) any
	check  func(value any) string // what is wrong with a value, "" = nothing
	dump   dumpMode
	format string // how the dump shows it, "" = as the kind is shown
}

type dumpMode int

const (
	dumpAlways  dumpMode = iota
	dumpWhenSet          // not a line of php-fpm's own dump on Linux
	dumpNever
)

// Settings is the whole table, in the order of php-fpm's dump, our own
// directives last.
func Settings() []Setting {
	return slices.Concat(globalSettings, poolSettings)
}

// lookup finds a directive; like php-fpm's it does not mind upper case.
func lookup(table []Setting, name string) *Setting {
	for i := range table {
		if equalFoldASCII(table[i].Name, name) {
			return &table[i]
		}
	}
	return nil
}

func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z' {
			return false
		}
	}
	return true
}

// field gives the pointer to the field of the row in whichever of the two is set.
func (s *Setting) field(g *Global, p *Pool) any {
	if p != nil {
		return s.pool(p)
	}
	return s.global(g)
}
