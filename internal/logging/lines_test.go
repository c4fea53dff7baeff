package logging

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

type piece struct {
	Text string
	More bool
}

func splitAll(limit int, chunks ...string) []piece {
	var got []piece
	s := Splitter{Max: limit, Say: func(b []byte, more bool) { got = append(got, piece{string(b), more}) }}
	for _, c := range chunks {
		n, err := s.Write([]byte(c))
		if n != len(c) || err != nil {
			panic("short write")
		}
	}
	s.Close()
	return got
}

func TestSplitter(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"lines", "one\ntwo\n", []string{"one", "two"}},
		{"the end is a line", "one\ntwo", []string{"one", "two"}},
		{"empty lines say nothing", "\n\none\n\n", []string{"one"}},
		{"the marker ends a message", "one\x00fscf\x00two\n", []string{"one", "two"}},
		{"the marker after a newline", "one\n\x00fscf\x00", []string{"one"}},
		{"two markers", "\x00fscf\x00\x00fscf\x00x", []string{"x"}},
		{"half a marker", "one\x00fsc\ntwo\x00f", []string{"one\x00fsc", "two\x00f"}},
		{"a marker after half a marker", "a\x00fs\x00fscf\x00b", []string{"a\x00fs", "b"}},
		{"a marker without its last byte", "a\x00fscfb\n", []string{"a\x00fscfb"}},
		{"zeros", "\x00\x00\x00\n", []string{"\x00\x00\x00"}},
		{"carriage return", "a\r\n", []string{"a\r"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []piece
			for _, w := range tt.want {
				want = append(want, piece{w, false})
			}
			// Cut into two at every place, and into single bytes.
			for i := range len(tt.in) + 1 {
				if diff := cmp.Diff(want, splitAll(0, tt.in[:i], tt.in[i:])); diff != "" {
					t.Errorf("cut at %d: %s", i, diff)
				}
			}
			if diff := cmp.Diff(want, splitAll(0, strings.Split(tt.in, "")...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSplitterPassesLongLinesInPieces(t *testing.T) {
	tests := []struct {
		name, in string
		want     []piece
	}{
		{"just fits", "12345678\n", []piece{{"12345678", false}}},
		{"one too long", "123456789\n", []piece{{"12345678", true}, {"9", false}}},
		{"without end", "12345678123456781", []piece{{"12345678", true}, {"12345678", true}, {"1", false}}},
		{"characters stay whole", "123456ééx\n", []piece{{"123456é", true}, {"éx", false}}},
		{"marker at the cut", "12345678\x00fscf\x00x\n", []piece{{"12345678", true}, {"", false}, {"x", false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, splitAll(8, strings.Split(tt.in, "")...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFollow(t *testing.T) {
	long := strings.Repeat("x", MaxLine-3)
	in := "a\n" + long + "\nb"
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(in), "halves": iotest.HalfReader(strings.NewReader(in)), "end with data": iotest.DataErrReader(strings.NewReader(in)),
	} {
		var got []string
		err := Follow(r, func(b []byte, more bool) {
			if more {
				t.Errorf("%s: a piece", name)
			}
			got = append(got, string(b))
		})
		if err != nil || len(got) != 3 || got[0] != "a" || got[1] != long || got[2] != "b" {
			t.Errorf("%s: %d lines, %v", name, len(got), err)
		}
	}
	broken := errors.New("broken")
	var got string
	err := Follow(io.MultiReader(strings.NewReader("kept"), iotest.ErrReader(broken)), func(b []byte, _ bool) { got += string(b) })
	if !errors.Is(err, broken) || got != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
}

// However the input is cut, the same lines come out, no piece is longer than allowed, and only newlines and markers go.
func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\nb\x00fscf\x00c"), uint8(3), uint8(2))
	f.Add([]byte("\x00fscf\x00\x00fscf"), uint8(1), uint8(8))
	f.Fuzz(func(t *testing.T, in []byte, chunk, limit uint8) {
		size := int(chunk)%16 + 1
		var chunks []string
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			chunks = append(chunks, string(rest[:n]))
			rest = rest[n:]
		}
		join := func(pieces []piece) (lines []string) {
			open := false
			for _, p := range pieces {
				if !open {
					lines = append(lines, "")
				}
				lines[len(lines)-1] += p.Text
				open = p.More
			}
			return lines
		}
		max := int(limit) + len(flushMarker)
		pieces := splitAll(max, chunks...)
		for _, p := range pieces {
			if len(p.Text) > max {
				t.Errorf("a piece of %d bytes, limit %d", len(p.Text), max)
			}
		}
		var want []string
		for _, line := range bytes.Split(bytes.ReplaceAll(in, flushMarker, []byte("\n")), []byte("\n")) {
			if len(line) > 0 {
				want = append(want, string(line))
			}
		}
		if diff := cmp.Diff(want, join(pieces)); diff != "" {
			t.Errorf("chunks of %d, limit %d: %s", size, max, diff)
		}
	})
}
