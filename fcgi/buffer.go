package fcgi

import "sync"

// buffer holds at least one record of any size, with room for the tail of another.
type buffer [72 << 10]byte

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func getBuffer() *buffer  { return buffers.Get().(*buffer) }
func putBuffer(b *buffer) { buffers.Put(b) }
