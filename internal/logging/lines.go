package logging

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// MaxLine is how much of one line is held before it is passed on in pieces, in bytes.
const MaxLine = 1 << 20

// flushMarker ends a message without a newline, and is never part of one (fpm_stdio.c; the closing NUL belongs to it).
var flushMarker = []byte("\x00fscf\x00")

// Follow reads r until its end and calls say for each line, without its newline; text is valid during the call. A line
// longer than MaxLine comes in pieces, all but the last with continued set. Follow does not close r; closing it from
// elsewhere makes Follow return. The end of the file is no error.
func Follow(r io.Reader, say func(text []byte, continued bool)) error {
	s := Splitter{Say: say}
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		_, _ = s.Write(buf[:n])
		if err != nil {
			s.Close()
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
	}
}

// Splitter cuts a stream of bytes into lines. The zero value with Say set is ready.
type Splitter struct {
	Say func(text []byte, continued bool)
	Max int // 0 means MaxLine

	rest    []byte // an unfinished line
	scanned int    // up to where rest holds neither newline nor the beginning of a marker
	begun   bool   // a piece of this line has been passed on already
}

// Write never fails.
func (s *Splitter) Write(p []byte) (int, error) {
	if len(s.rest) == 0 {
		s.keep(p, s.split(p, 0))
		return len(p), nil
	}
	s.rest = append(s.rest, p...)
	all := s.rest
	if start := s.split(all, s.scanned); start > 0 {
		s.keep(all, start)
	}
	return len(p), nil
}

// Close passes on what is left.
func (s *Splitter) Close() {
	if len(s.rest) > 0 || s.begun {
		s.say(s.rest)
	}
	s.rest, s.scanned = nil, 0
}

// say passes on the end of a line, in pieces if it is too long.
func (s *Splitter) say(line []byte) {
	line = line[s.pieces(line, len(line)):]
	if len(line) > 0 || s.begun {
		s.Say(line, false)
	}
	s.begun = false
}

// split passes on all whole lines of data, looking for their ends from position i on, and returns where the unfinished
// line begins. It leaves in s.scanned where to look on, counted from there.
func (s *Splitter) split(data []byte, i int) (start int) {
	for {
		j := bytes.IndexAny(data[i:], "\n\x00")
		if j < 0 {
			i = len(data)
			break
		}
		i += j
		if data[i] == '\n' {
			s.say(data[start:i])
			i++
			start = i
			continue
		}
		tail := data[i:]
		if bytes.HasPrefix(tail, flushMarker) {
			s.say(data[start:i])
			i += len(flushMarker)
			start = i
			continue
		}
		if bytes.HasPrefix(flushMarker, tail) {
			break // perhaps the beginning of a marker
		}
		i++
	}

	start += s.pieces(data[start:], i-start)
	s.scanned = i - start
	return start
}

// pieces passes on pieces of an unfinished line until what is left fits, taking nothing from position end on, and returns
// how much it took.
func (s *Splitter) pieces(line []byte, end int) (taken int) {
	limit := s.Max
	if limit <= 0 {
		limit = MaxLine
	}
	for len(line)-taken > limit && end > taken {
		cut := runeEnd(line[taken:], min(limit, end-taken))
		s.Say(line[taken:taken+cut], true)
		s.begun = true
		taken += cut
	}
	return taken
}

// keep holds data[start:] for the next Write.
func (s *Splitter) keep(data []byte, start int) {
	rest := data[start:]
	if len(rest) == 0 && cap(s.rest) > 64<<10 {
		s.rest = nil // a long line was an exception
		return
	}
	s.rest = append(s.rest[:0], rest...)
}

// runeEnd is the greatest position up to n that does not cut a UTF-8 character in two, or n if there is none near.
func runeEnd(b []byte, n int) int {
	for m := n; m > n-utf8.UTFMax && m > 0 && m < len(b); m-- {
		if utf8.RuneStart(b[m]) {
			return m
		}
	}
	return n
}
