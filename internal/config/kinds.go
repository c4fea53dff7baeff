package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// assign reads a value into the field that to points to. It returns what is
// wrong with the value, in php-fpm's words where it has some, and what php-fpm
// would accept without a word although it does not mean what it seems to.
func (s *Setting) assign(to any, value string) (problem, doubt string) {
	switch s.Kind {
	case KindString, KindChoice:
		problem = s.assignString(to, value)
	case KindInteger:
		problem, doubt = assignInteger(to.(*int), value)
	case KindRlimit:
		if strings.EqualFold(value, "unlimited") {
			*to.(*int) = -1
			break
		}
		problem, doubt = assignInteger(to.(*int), value)
		if problem == "" && *to.(*int) < 0 {
			problem = "must be greater than zero or 'unlimited'"
		}
	case KindBoolean:
		*to.(*bool), problem = parseBoolean(value)
	case KindTime:
		*to.(*time.Duration), problem, doubt = parseTime(value)
	case KindMillis:
		if ms, ok := strings.CutSuffix(value, "ms"); ok {
			var n int
			problem, doubt = assignInteger(&n, ms)
			*to.(*time.Duration) = time.Duration(n) * time.Millisecond
			break
		}
		*to.(*time.Duration), problem, doubt = parseTime(value)
	case KindSize:
		*to.(*uint64), problem = parseSize(value)
	case KindLevel:
		*to.(*Level), problem = parseLevel(value)
	case KindFacility:
		*to.(*int), problem = parseFacility(value)
	case KindPM:
		*to.(*PM), problem = parsePM(value)
	case KindList:
		list := to.(*[]string)
		*list = append(*list, value)
	default:
		problem = "cannot be set like this"
	}
	if problem == "" && s.check != nil {
		problem = s.check(to)
	}
	return problem, doubt
}

func (s *Setting) assignString(to any, value string) (problem string) {
	if s.Kind == KindChoice {
		found := false
		for _, c := range s.Choices {
			found = found || c == value
		}
		if !found {
			return "invalid value (" + join(s.Choices, "or") + ")"
		}
	}
	switch to := to.(type) {
	case *string:
		*to = value
	case *LogFormat:
		*to = LogFormat(value)
	case *Retry:
		*to = Retry(value)
	}
	return ""
}

// join makes "a, b or c".
func join(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

func assignInteger(to *int, value string) (problem, doubt string) {
	digits := strings.TrimPrefix(value, "-")
	if span(digits, isDigit) != len(digits) {
		return "is not a valid number (greater or equal than zero)", ""
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil && digits != "" {
		return "is out of range", ""
	}
	if digits == "" {
		doubt = "is no number, 0 is taken"
	}
	*to = int(n)
	return "", doubt
}

// parseBoolean knows the words in lower case, as a variable may hold them; the
// lexer has turned those that stand in the file into "1" and "" already.
func parseBoolean(value string) (on bool, problem string) {
	switch value {
	case "1", "yes", "true", "on":
		return true, ""
	case "", "0", "no", "none", "false", "off":
		return false, ""
	}
	return false, "invalid boolean value"
}

func parseTime(value string) (d time.Duration, problem, doubt string) {
	if value == "" {
		return 0, "invalid time value", ""
	}
	unit := time.Second
	number := value[:len(value)-1]
	switch c := value[len(value)-1]; c {
	case 's':
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'd':
		unit = 24 * time.Hour
	default:
		if !isDigit(c) {
			return 0, "unknown suffix used in time value", ""
		}
		number = value
	}
	n := int64(atoi(number))
	d = time.Duration(n) * unit
	switch {
	case n < 0:
		return 0, "must not be negative", ""
	case len(strings.TrimLeft(number, "0")) > 9 || d/time.Second > math.MaxInt32:
		return 0, "is out of range", ""
	case number == "" || span(number, isDigit) != len(number):
		doubt = fmt.Sprintf("is read as %ds: only whole numbers with one of s, m, h, d are understood", d/time.Second)
	}
	return d, "", doubt
}

func parseSize(value string) (size uint64, problem string) {
	if value == "0" || value == "" {
		return 0, ""
	}
	digits := span(value, isDigit)
	n, err := strconv.ParseUint(value[:digits], 10, 64)
	if err != nil {
		return 0, "invalid size (a whole number with a unit: 512k, 64M or 2G, or 0 for no limit)"
	}
	shift := 0
	switch strings.ToLower(strings.TrimSuffix(value[digits:], "B")) {
	case "k":
		shift = 10
	case "m":
		shift = 20
	case "g":
		shift = 30
	case "":
		return 0, fmt.Sprintf("the unit is missing (k, M or G): write %sM if megabytes are meant", value[:digits])
	default:
		return 0, fmt.Sprintf("unknown unit '%s' (k, M or G)", value[digits:])
	}
	if n > math.MaxInt64>>shift {
		return 0, "is out of range"
	}
	return n << shift, ""
}

func parseLevel(value string) (Level, string) {
	switch strings.ToLower(value) {
	case "debug":
		return LevelDebug, ""
	case "notice":
		return LevelNotice, ""
	case "warning", "warn":
		return LevelWarning, ""
	case "error":
		return LevelError, ""
	case "alert":
		return LevelAlert, ""
	}
	return 0, "invalid value for 'log_level'"
}

func parsePM(value string) (PM, string) {
	for _, p := range []PM{PMStatic, PMDynamic, PMOndemand} {
		if strings.EqualFold(p.String(), value) {
			return p, ""
		}
	}
	return 0, "invalid process manager (static, dynamic or ondemand)"
}

// facilities are the numbers of <syslog.h>.
var facilities = map[string]int{
	"KERN": 0, "USER": 1, "MAIL": 2, "DAEMON": 3, "AUTH": 4, "SYSLOG": 5, "LPR": 6, "NEWS": 7, "UUCP": 8,
	"CRON": 9, "AUTHPRIV": 10, "FTP": 11, "LOCAL0": 16, "LOCAL1": 17, "LOCAL2": 18, "LOCAL3": 19,
	"LOCAL4": 20, "LOCAL5": 21, "LOCAL6": 22, "LOCAL7": 23,
}

func parseFacility(value string) (int, string) {
	if n, ok := facilities[strings.ToUpper(value)]; ok {
		return n << 3, ""
	}
	return 0, "invalid value"
}
