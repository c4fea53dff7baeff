package fcgi

import (
	"net/http"
	"strconv"
	"time"
)

// appendAnswer appends a whole response of our own: a CGI response of a few words, and END_REQUEST.
func appendAnswer(b []byte, id uint16, status int, retryAfter time.Duration) []byte {
	text := http.StatusText(status)
	if text == "" {
		text = "Error"
	}
	at := len(b)
	b = AppendHeader(b, TypeStdout, id, 0, 0)
	b = append(b, "Status: "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(b, ' '), text...)
	if retryAfter > 0 {
		b = append(b, "\r\nRetry-After: "...)
		b = strconv.AppendInt(b, int64((retryAfter+time.Second-1)/time.Second), 10)
	}
	b = append(b, "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(append(b, ' '), text...), '\n')
	content := len(b) - at - headerLen
	b[at+4], b[at+5] = byte(content>>8), byte(content)
	return AppendEndRequest(b, id, 0, StatusRequestComplete)
}

// answer answers the request in place of a worker.
func (c *conn) answer(id uint16, status int, retryAfter time.Duration) error {
	r := c.req
	r.reply = appendAnswer(r.reply[:0], id, status, retryAfter)
	err := c.write(r.reply)
	r.reply = r.reply[:0]
	return err
}

// appendManaged appends the answer to a management record, section 4.
func appendManaged(b []byte, typ uint8, content []byte) []byte {
	if typ != TypeGetValues {
		return appendUnknownType(b, typ)
	}
	// Like php-fpm, the only variable known is whether connections are multiplexed.
	var values []byte
	if _, asked := findParam(content, "FCGI_MPXS_CONNS"); asked {
		values = mpxsConns
	}
	return AppendRecord(b, TypeGetValuesResult, 0, values)
}

var mpxsConns = AppendParam(nil, "FCGI_MPXS_CONNS", "0")
