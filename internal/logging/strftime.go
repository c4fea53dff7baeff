package logging

import (
	"strconv"
	"time"
)

// appendStrftime appends t as strftime(3) does in the C locale. What it does not know stays as it is, as in glibc.
func appendStrftime(b []byte, format string, t time.Time) []byte {
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i == len(format)-1 {
			b = append(b, format[i])
			continue
		}
		i++
		c := format[i]
		if (c == 'E' || c == 'O') && i+1 < len(format) { // alternative forms: none in the C locale
			i++
			c = format[i]
		}
		var known bool
		if b, known = appendConversion(b, c, t); !known {
			b = append(b, '%', c)
		}
	}
	return b
}

func appendConversion(b []byte, c byte, t time.Time) ([]byte, bool) {
	year, month, day := t.Date()
	hour, minute, sec := t.Clock()
	hour12 := (hour+11)%12 + 1
	switch c {
	case 'a':
		b = append(b, t.Weekday().String()[:3]...)
	case 'A':
		b = append(b, t.Weekday().String()...)
	case 'b', 'h':
		b = append(b, month.String()[:3]...)
	case 'B':
		b = append(b, month.String()...)
	case 'c':
		b = appendStrftime(b, "%a %b %e %H:%M:%S %Y", t)
	case 'C':
		b = pad(b, year/100, 2, '0')
	case 'd':
		b = pad(b, day, 2, '0')
	case 'D', 'x':
		b = appendStrftime(b, "%m/%d/%y", t)
	case 'e':
		b = pad(b, day, 2, ' ')
	case 'F':
		b = appendStrftime(b, "%Y-%m-%d", t)
	case 'g', 'G', 'V':
		isoYear, week := t.ISOWeek()
		switch c {
		case 'g':
			b = pad(b, isoYear%100, 2, '0')
		case 'G':
			b = strconv.AppendInt(b, int64(isoYear), 10)
		default:
			b = pad(b, week, 2, '0')
		}
	case 'H':
		b = pad(b, hour, 2, '0')
	case 'I':
		b = pad(b, hour12, 2, '0')
	case 'j':
		b = pad(b, t.YearDay(), 3, '0')
	case 'k':
		b = pad(b, hour, 2, ' ')
	case 'l':
		b = pad(b, hour12, 2, ' ')
	case 'm':
		b = pad(b, int(month), 2, '0')
	case 'M':
		b = pad(b, minute, 2, '0')
	case 'n':
		b = append(b, '\n')
	case 'p', 'P':
		const upper, lower = "AMPM", "ampm"
		half := hour / 12 * 2
		if c == 'p' {
			b = append(b, upper[half:half+2]...)
		} else {
			b = append(b, lower[half:half+2]...)
		}
	case 'r':
		b = appendStrftime(b, "%I:%M:%S %p", t)
	case 'R':
		b = appendStrftime(b, "%H:%M", t)
	case 's':
		b = strconv.AppendInt(b, t.Unix(), 10)
	case 'S':
		b = pad(b, sec, 2, '0')
	case 't':
		b = append(b, '\t')
	case 'T', 'X':
		b = appendStrftime(b, "%H:%M:%S", t)
	case 'u':
		b = strconv.AppendInt(b, int64(t.Weekday()+6)%7+1, 10)
	case 'U': // weeks that begin on Sunday
		b = pad(b, (t.YearDay()+6-int(t.Weekday()))/7, 2, '0')
	case 'w':
		b = strconv.AppendInt(b, int64(t.Weekday()), 10)
	case 'W': // weeks that begin on Monday
		b = pad(b, (t.YearDay()+6-int(t.Weekday()+6)%7)/7, 2, '0')
	case 'y':
		b = pad(b, year%100, 2, '0')
	case 'Y':
		b = strconv.AppendInt(b, int64(year), 10)
	case 'z':
		_, offset := t.Zone()
		sign := byte('+')
		if offset < 0 {
			sign, offset = '-', -offset
		}
		b = append(b, sign)
		b = pad(b, offset/3600, 2, '0')
		b = pad(b, offset%3600/60, 2, '0')
	case 'Z':
		name, _ := t.Zone()
		b = append(b, name...)
	case '%':
		b = append(b, '%')
	default:
		return b, false
	}
	return b, true
}

// pad appends n with at least width characters.
func pad(b []byte, n, width int, with byte) []byte {
	for p := 10; width > 1; width, p = width-1, p*10 {
		if n < p {
			b = append(b, with)
		}
	}
	return strconv.AppendInt(b, int64(n), 10)
}
