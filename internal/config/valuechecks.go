package config

import (
	"path/filepath"
	"strconv"
	"strings"
)

// Checks of a single value, named in the table. What has to do with other
// directives or with the machine is checked when everything has been read.

func notNegative(value any) string {
	if *value.(*int) < 0 {
		return "must not be negative"
	}
	return ""
}

func checkPercent(value any) string {
	if n := *value.(*int); n < 0 || n > 100 {
		return "must be a percentage from 0 to 100"
	}
	return ""
}

func checkIsolation(value any) string {
	isolation := value.(*string)
	switch *isolation {
	case "none":
		return ""
	case "": // without quotes none is a word for false
		*isolation = "none"
		return ""
	case "request":
		return "'request' is not there yet: write none, or leave it out"
	}
	return "invalid value (only none for now)"
}

func checkMode(value any) string {
	s := *value.(*string)
	if mode, err := strconv.ParseUint(s, 8, 32); s != "" && (err != nil || mode > 0o777) {
		return "is not a mode in octal: write 0660, for example"
	}
	return ""
}

func checkPattern(value any) string {
	list := *value.(*[]string)
	pattern := list[len(list)-1]
	if _, err := filepath.Match(strings.ReplaceAll(pattern, "**", "*"), ""); err != nil {
		return "is not a pattern: a [ has no ]"
	}
	return ""
}
