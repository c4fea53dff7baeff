package config

import (
	"fmt"
	"io"
	"strings"
)

const referenceHead = `# Configuration

<!-- Made from the table in internal/config by "go generate ./internal/config". Do not edit. -->

The configuration is php-fpm's: ` + "`php-fpm.conf`" + ` with its included ` + "`pool.d/*.conf`" + `, read as php-fpm reads
it, and some directives of our own in the same style. A file of php-fpm's works as it is.

` + "```ini" + `
[global]
error_log = /var/log/php-supervisor.log

[www]
user = www-data
listen = /run/php/www.sock
listen.owner = www-data
pm = dynamic
pm.max_children = 16
pm.min_spare_servers = 2
pm.max_spare_servers = 6

; our own
worker.script = /srv/app/worker.php
pm.max_requests = 10000
pm.max_memory_growth = 64M
watch[] = /srv/app/src
` + "```" + `

## The format

- A line is a section, ` + "`name = value`" + `, ` + "`name[key] = value`" + `, or a comment after ` + "`;`" + `. What stands before the first section is global.
- Values with one of ` + "`= & | ^ ~ ( ) ! ; { }`" + ` need double quotes. In them ` + "`\\\"`" + `, ` + "`\\\\`" + ` and ` + "`\\$`" + ` stand for the character itself.
- ` + "`on`, `yes`, `true`" + ` and ` + "`off`, `no`, `none`, `false`" + ` are booleans in upper or lower case.
- ` + "`${NAME}`" + ` is the environment variable NAME, ` + "`${NAME:-text}`" + ` the same with text in its place when it is not set.
- ` + "`$pool`" + ` is the name of the pool.
- PHP's error constants can be named and combined: ` + "`E_ALL & ~E_NOTICE`" + `.
- **time**: seconds, or a whole number with ` + "`s`, `m`, `h` or `d`" + `. **duration**: also with ` + "`ms`" + `.
- **size**: a whole number with ` + "`k`, `M` or `G`" + `; the unit is needed.
- An unknown directive is an error, with file and line. So is a file of more than 8 MiB and a line of more than 64 KiB.
- A directive set twice counts as set last; of several ` + "`env`" + ` or ` + "`php_value`" + ` elements with the same key the first counts, as in php-fpm.

Directives marked **not yet** are read and checked, but what they ask for is not there in this version; the log says so once at start.
All directives of php-fpm 8.2 to 8.5 are known.
`

// WriteReference writes docs/CONFIGURATION.md.
func WriteReference(w io.Writer) error {
	var b strings.Builder
	b.WriteString(referenceHead)
	writeTable(&b, "Global directives", globalSettings, false)
	writeTable(&b, "Pool directives", poolSettings, false)
	writeTable(&b, "Our own global directives", globalSettings, true)
	writeTable(&b, "Our own pool directives", poolSettings, true)
	_, err := io.WriteString(w, b.String())
	return err
}

func writeTable(b *strings.Builder, title string, table []Setting, own bool) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	b.WriteString("| directive | kind | default | meaning |\n|---|---|---|---|\n")
	for i := range table {
		s := &table[i]
		if s.Own != own {
			continue
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", s.syntax(), s.kindText(), s.defaultText(), cell(s.helpText()))
	}
}

// syntax is the directive's name with its brackets.
func (s *Setting) syntax() string {
	switch s.Kind {
	case KindList:
		return s.Name + "[]"
	case KindMap:
		return s.Name + "[key]"
	}
	return s.Name
}

func (s *Setting) kindText() string {
	if s.Kind == KindChoice {
		return "`" + strings.Join(s.Choices, "`, `") + "`"
	}
	return string(s.Kind)
}

func (s *Setting) defaultText() string {
	if s.Default == "" {
		return ""
	}
	return "`" + s.Default + "`"
}

func (s *Setting) helpText() string {
	text := s.Help
	switch s.Effect {
	case EffectNotYet:
		text = "**Not yet.** " + text
	case EffectNone:
		text = "**Without effect here:** " + s.Why + ". " + text
	}
	if s.Since != "" {
		text += " Since php-fpm " + s.Since + "."
	}
	return text
}

// cell keeps a text from ending its cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
