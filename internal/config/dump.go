package config

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Dump writes the configuration as php-fpm -tt does: the text of each of its
// NOTICE lines, a line each. Our own directives are there when they were set, so
// that the dump of a file of php-fpm's is php-fpm's own.
func (c *Config) Dump(w io.Writer) error {
	d := &dumper{}
	d.line("[global]")
	for i := range globalSettings {
		d.setting(&globalSettings[i], &c.Global, nil)
	}
	d.line(" ")
	for _, p := range c.Pools {
		d.line("[%s]", p.Name)
		for i := range poolSettings {
			d.setting(&poolSettings[i], nil, p)
		}
		d.line(" ")
	}
	_, err := io.WriteString(w, d.text.String())
	return err
}

type dumper struct{ text strings.Builder }

func (d *dumper) line(format string, args ...any) {
	fmt.Fprintf(&d.text, format+"\n", args...)
}

func (d *dumper) setting(s *Setting, g *Global, p *Pool) {
	var set origins
	if p != nil {
		set = p.set
	} else {
		set = g.set
	}
	if s.dump == dumpNever || s.dump == dumpWhenSet && !set.has(s.Name) {
		return
	}
	switch s.Kind {
	case KindMap:
		d.entries(s.Name, p)
		return
	case KindList:
		list := slices.Clone(*s.field(g, p).(*[]string))
		if !s.Own {
			slices.Reverse(list) // php-fpm shows the last first
		}
		for _, value := range list {
			d.line("\t%s[] = %s", s.Name, value)
		}
		return
	}
	d.line("\t%s = %s", s.Name, s.show(s.field(g, p), set))
}

// entries shows what php-fpm keeps in one list: php_flag with php_value, the last
// first.
func (d *dumper) entries(name string, p *Pool) {
	if strings.HasSuffix(name, "_flag") {
		return // comes with the values
	}
	for _, e := range slices.Backward(p.entries) {
		if strings.Replace(e.name, "_flag", "_value", 1) == name {
			d.line("\t%s[%s] = %s", name, e.key, e.value)
		}
	}
}

// show gives a value in the way php-fpm's dump does.
func (s *Setting) show(field any, set origins) string {
	switch v := field.(type) {
	case *string:
		if *v == "" && !set.has(s.Name) {
			return "undefined"
		}
		return *v
	case *int:
		if s.Name == "process.priority" && *v == PriorityUnset {
			return "undefined"
		}
		return fmt.Sprint(*v)
	case *bool:
		if *v {
			return "yes"
		}
		return "no"
	case *time.Duration:
		if s.format != "" {
			return fmt.Sprintf(s.format, *v/time.Second)
		}
		if *v%time.Second != 0 {
			return fmt.Sprintf("%dms", v.Milliseconds())
		}
		return fmt.Sprintf("%ds", *v/time.Second)
	case *uint64:
		return sizeText(*v)
	case *Level:
		if !set.has(s.Name) {
			return Level(0).String() // php-fpm's own default has no name
		}
		return v.String()
	}
	return fmt.Sprint(deref(field))
}

func deref(field any) any {
	switch v := field.(type) {
	case *PM:
		return *v
	case *LogFormat:
		return *v
	case *Retry:
		return *v
	}
	return nil
}

// sizeText writes a size with the largest unit that leaves it whole.
func sizeText(n uint64) string {
	for _, u := range []struct {
		shift uint
		name  string
	}{{30, "G"}, {20, "M"}, {10, "k"}} {
		if n != 0 && n%(1<<u.shift) == 0 {
			return fmt.Sprintf("%d%s", n>>u.shift, u.name)
		}
	}
	return fmt.Sprint(n)
}

// NotYet has a warning for each directive that was set but has no effect in this
// version. The caller logs them once at start.
func (c *Config) NotYet() []Message {
	var messages []Message
	add := func(table []Setting, set origins, pool string) {
		for i := range table {
			s := &table[i]
			if o, ok := set[s.Name]; !ok || o.line == 0 || s.Effect == EffectFull {
				continue
			}
			text := "directive '" + s.Name + "' has no effect yet"
			if s.Effect == EffectNone {
				text = "directive '" + s.Name + "' has no effect: " + s.Why
			}
			messages = append(messages, Message{LevelWarning, pool + text})
		}
	}
	add(globalSettings, c.Global.set, "")
	if strings.EqualFold(c.Global.ErrorLog, "syslog") {
		messages = append(messages, Message{LevelWarning, "'error_log = syslog' has no effect yet"})
	}
	for _, p := range c.Pools {
		add(poolSettings, p.set, "[pool "+p.Name+"] ")
	}
	return messages
}
