package fcgi

import "encoding/binary"

// Record types of FastCGI 1.0, section 8.
const (
	TypeBeginRequest    = 1
	TypeAbortRequest    = 2
	TypeEndRequest      = 3
	TypeParams          = 4
	TypeStdin           = 5
	TypeStdout          = 6
	TypeStderr          = 7
	TypeData            = 8
	TypeGetValues       = 9
	TypeGetValuesResult = 10
	TypeUnknownType     = 11
)

// Private record types: request id 0, from the worker to the supervisor only.
const (
	TypeHello = 64 // u32 protocol version, u32 pid: the first bytes on the socket
	TypeReady = 65 // empty: the worker can take requests
	TypeIdle  = 66 // idleLen bytes of statistics: the request has ended
	TypeLog   = 67 // u8 severity, u8 flags (bit 0: continued in the next LOG), text
)

// Roles and protocol statuses, sections 5.1 and 5.5.
const (
	RoleResponder = 1

	StatusRequestComplete = 0
	StatusCantMpxConn     = 1
	StatusOverloaded      = 2
	StatusUnknownRole     = 3
)

const (
	version    = 1
	headerLen  = 8
	maxContent = 65535
	maxRecord  = headerLen + maxContent + 255 // content and padding at their longest

	flagKeepConn    = 1
	idleLen         = 40
	idleLeaving     = 1
	idleFatal       = 2
	idleRenew       = 4
	logContinued    = 1
	protocolVersion = 1 // of the private records
)

// header is a decoded record header, section 3.3.
type header struct {
	typ     uint8
	id      uint16
	content int // bytes
	padding int // bytes
}

// size is the length of the whole record in bytes.
func (h header) size() int { return headerLen + h.content + h.padding }

// decodeHeader decodes the first headerLen bytes of b. The version, b[0], is the caller's to check.
func decodeHeader(b []byte) header {
	_ = b[headerLen-1]
	return header{
		typ:     b[1],
		id:      binary.BigEndian.Uint16(b[2:]),
		content: int(binary.BigEndian.Uint16(b[4:])),
		padding: int(b[6]),
	}
}

// AppendHeader appends a record header. It panics on lengths that no record can have.
func AppendHeader(b []byte, typ uint8, id uint16, content, padding int) []byte {
	if uint(content) > maxContent || uint(padding) > 255 {
		panic("fcgi: record too long")
	}
	return append(b, version, typ, byte(id>>8), byte(id), byte(content>>8), byte(content), byte(padding), 0)
}

// AppendRecord appends a record of at most 65,535 bytes of content, without padding.
func AppendRecord(b []byte, typ uint8, id uint16, content []byte) []byte {
	return append(AppendHeader(b, typ, id, len(content), 0), content...)
}

// AppendBeginRequest appends a BEGIN_REQUEST record.
func AppendBeginRequest(b []byte, id, role uint16, keep bool) []byte {
	var flags byte
	if keep {
		flags = flagKeepConn
	}
	return append(AppendHeader(b, TypeBeginRequest, id, 8, 0), byte(role>>8), byte(role), flags, 0, 0, 0, 0, 0)
}

// AppendEndRequest appends an END_REQUEST record.
func AppendEndRequest(b []byte, id uint16, appStatus uint32, protocolStatus uint8) []byte {
	b = AppendHeader(b, TypeEndRequest, id, 8, 0)
	b = binary.BigEndian.AppendUint32(b, appStatus)
	return append(b, protocolStatus, 0, 0, 0)
}

// appendUnknownType answers a management record of a type that is not known, section 4.2.
func appendUnknownType(b []byte, typ uint8) []byte {
	return append(AppendHeader(b, TypeUnknownType, 0, 8, 0), typ, 0, 0, 0, 0, 0, 0, 0)
}

// AppendHello appends a HELLO record, as a worker sends it.
func AppendHello(b []byte, pid uint32) []byte {
	b = AppendHeader(b, TypeHello, 0, 8, 0)
	b = binary.BigEndian.AppendUint32(b, protocolVersion)
	return binary.BigEndian.AppendUint32(b, pid)
}

// AppendReady appends a READY record, as a worker sends it.
func AppendReady(b []byte) []byte { return AppendHeader(b, TypeReady, 0, 0, 0) }

// AppendIdle appends an IDLE record, as a worker sends it.
func AppendIdle(b []byte, s Stats) []byte {
	var flags uint32
	if s.Leaving {
		flags |= idleLeaving
	}
	if s.Fatal {
		flags |= idleFatal
	}
	if s.Renew {
		flags |= idleRenew
	}
	b = AppendHeader(b, TypeIdle, 0, idleLen, 0)
	b = binary.BigEndian.AppendUint64(b, s.Memory)
	b = binary.BigEndian.AppendUint64(b, s.Peak)
	b = binary.BigEndian.AppendUint64(b, uint64(s.User.Microseconds()))
	b = binary.BigEndian.AppendUint64(b, uint64(s.System.Microseconds()))
	b = binary.BigEndian.AppendUint32(b, flags)
	return binary.BigEndian.AppendUint32(b, s.Requests)
}

// AppendLog appends one LOG record of at most 65,533 bytes of text, as a worker sends it.
func AppendLog(b []byte, severity uint8, continued bool, text []byte) []byte {
	var flags byte
	if continued {
		flags = logContinued
	}
	b = append(AppendHeader(b, TypeLog, 0, 2+len(text), 0), severity, flags)
	return append(b, text...)
}

// decodeIdle decodes the content of an IDLE record, idleLen bytes.
func decodeIdle(b []byte) Stats {
	_ = b[idleLen-1]
	flags := binary.BigEndian.Uint32(b[32:])
	return Stats{
		Memory:   binary.BigEndian.Uint64(b),
		Peak:     binary.BigEndian.Uint64(b[8:]),
		User:     micros(binary.BigEndian.Uint64(b[16:])),
		System:   micros(binary.BigEndian.Uint64(b[24:])),
		Leaving:  flags&idleLeaving != 0,
		Fatal:    flags&idleFatal != 0,
		Renew:    flags&idleRenew != 0,
		Requests: binary.BigEndian.Uint32(b[36:]),
	}
}
