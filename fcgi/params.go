package fcgi

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

var (
	errParams        = errors.New("params run past their end")
	errTooManyParams = errors.New("too many params")
)

// nextPair takes the first name-value pair off b, section 3.4. ok is false when
// b ends before the pair does.
func nextPair(b []byte) (name, value, rest []byte, ok bool) {
	nameLen, b, ok := pairLen(b)
	if !ok {
		return nil, nil, nil, false
	}
	valueLen, b, ok := pairLen(b)
	if !ok || uint64(nameLen)+uint64(valueLen) > uint64(len(b)) {
		return nil, nil, nil, false
	}
	end := nameLen + valueLen // fits: at most len(b)
	return b[:nameLen:nameLen], b[nameLen:end:end], b[end:], true
}

// pairLen takes one length off b: a byte below 128, or four with the highest bit set.
func pairLen(b []byte) (uint32, []byte, bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	if b[0] < 0x80 {
		return uint32(b[0]), b[1:], true
	}
	if len(b) < 4 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b) & 0x7fffffff, b[4:], true
}

// AppendParam appends one name-value pair, section 3.4.
func AppendParam(b []byte, name, value string) []byte {
	b = appendPairLen(b, len(name))
	b = appendPairLen(b, len(value))
	b = append(b, name...)
	return append(b, value...)
}

func appendPairLen(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(b, uint32(n)|1<<31)
}

// findParam returns the last param of that name, as PHP does.
func findParam(params []byte, name string) (value []byte, found bool) {
	for len(params) > 0 {
		n, v, rest, ok := nextPair(params)
		if !ok {
			break
		}
		if string(n) == name {
			value, found = v, true
		}
		params = rest
	}
	return value, found
}

// checked is what one walk over a request's params finds out.
type checked struct {
	safe   bool  // the method is idempotent: the request may be tried again
	length int64 // of the body as CONTENT_LENGTH says, -1 when it says nothing usable
}

// checkParams walks all params once: they are well-formed and not too many.
func checkParams(params []byte, limit int) (checked, error) {
	c := checked{length: -1}
	for count := 0; len(params) > 0; count++ {
		if count == limit {
			return c, errTooManyParams
		}
		name, value, rest, ok := nextPair(params)
		if !ok {
			return c, errParams
		}
		switch string(name) {
		case "REQUEST_METHOD":
			c.safe = idempotent(value)
		case "CONTENT_LENGTH":
			c.length = parseLength(value)
		}
		params = rest
	}
	return c, nil
}

// idempotent: RFC 9110, section 9.2.2.
func idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	return false
}

// parseLength is -1 for anything but digits that fit.
func parseLength(b []byte) int64 {
	if len(b) == 0 || len(b) > 18 {
		return -1
	}
	var n int64
	for _, d := range b {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int64(d-'0')
	}
	return n
}

// micros is u microseconds, at most what a Duration holds.
func micros(u uint64) time.Duration {
	if u > math.MaxInt64/uint64(time.Microsecond) {
		return math.MaxInt64
	}
	return time.Duration(u) * time.Microsecond
}
