package config

// Level is a message's weight, php-fpm's five levels.
type Level int

// The zero Level is none of them.
const (
	LevelDebug Level = iota + 1
	LevelNotice
	LevelWarning
	LevelError
	LevelAlert
)

// String gives php-fpm's name, as it stands in a log line.
func (l Level) String() string {
	switch l {
	case LevelDebug:
		return "DEBUG"
	case LevelNotice:
		return "NOTICE"
	case LevelWarning:
		return "WARNING"
	case LevelError:
		return "ERROR"
	case LevelAlert:
		return "ALERT"
	}
	return "unknown value"
}

// PM is a pool's process manager.
type PM int

// The zero PM means that none was chosen; a loaded pool never has it.
const (
	PMStatic PM = iota + 1
	PMDynamic
	PMOndemand
)

func (p PM) String() string {
	switch p {
	case PMStatic:
		return "static"
	case PMDynamic:
		return "dynamic"
	case PMOndemand:
		return "ondemand"
	}
	return "undefined"
}

// LogFormat is how the supervisor writes its log.
type LogFormat string

const (
	LogAuto LogFormat = "auto" // fpm when called as php-fpm*, text otherwise
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
	LogFPM  LogFormat = "fpm"
)

// Retry says which requests are tried again on another worker when theirs dies
// before the first byte of the response.
type Retry string

const (
	RetryIdempotent Retry = "idempotent"
	RetryNever      Retry = "never"
)
