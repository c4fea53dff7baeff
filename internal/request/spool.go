package request

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrBodyTooLarge is returned by Spool.
var ErrBodyTooLarge = errors.New("request body too large")

// Spool reads r to its end into a nameless temporary file, so that its length is known. More than limit bytes are
// ErrBodyTooLarge. The caller closes the file.
func Spool(r io.Reader, limit int64) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "php-supervisor-body-")
	if err != nil {
		return nil, 0, fmt.Errorf("keep request body: %w", err)
	}
	_ = os.Remove(f.Name()) // what is left over otherwise is a file, not a fault
	n, err := io.Copy(f, io.LimitReader(r, limit+1))
	if err == nil && n > limit {
		err = ErrBodyTooLarge
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, n, nil
}
