package pool

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestEncodeConfig(t *testing.T) {
	got, err := encodeConfig([]Directive{{"pool", "www"}, {"env[A]", ""}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "Cpool\x00www\x00env[A]\x00\x00"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := encodeConfig([]Directive{{"env[A]", "x\x00y"}}); err == nil {
		t.Error("a NUL byte in a value was accepted")
	}
	if _, err := encodeConfig([]Directive{{"env[A]", strings.Repeat("x", maxControlConfig)}}); err == nil {
		t.Error("an oversized configuration was accepted")
	}
}

func TestDecodeZygoteMessage(t *testing.T) {
	tests := []struct {
		name, in string
		want     zygoteMessage
		bad      bool
	}{
		{"ready", "R\x00\x00\x00\x00\x00\x01\x028.2.36", zygoteMessage{kind: 'R', number: 0x102, php: "8.2.36"}, false},
		{"spawn failed", "F\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x0b", zygoteMessage{kind: 'F', number: 7, errno: unix.EAGAIN}, false},
		{"empty", "", zygoteMessage{}, true},
		{"short", "R\x00\x00", zygoteMessage{}, true},
		{"unknown type", "X\x00\x00\x00\x00\x00\x00\x00", zygoteMessage{}, true},
		{"spawn failed without errno", "F\x00\x00\x00\x00\x00\x00\x07", zygoteMessage{}, true},
		{"version too long", "R\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("8", 65), zygoteMessage{}, true},
		{"version that is no text", "R\x00\x00\x00\x00\x00\x00\x00\xff", zygoteMessage{kind: 'R', php: "?"}, false},
	}
	for _, tt := range tests {
		got, err := decodeZygoteMessage([]byte(tt.in))
		if (err != nil) != tt.bad {
			t.Errorf("%s: error %v, want one: %v", tt.name, err, tt.bad)
		}
		if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(zygoteMessage{})); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func FuzzDecodeZygoteMessage(f *testing.F) {
	f.Add([]byte("R\x00\x00\x00\x00\x00\x01\x028.2.36"))
	f.Add([]byte("F\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x0b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeZygoteMessage(b); err == nil && m.kind != msgReady && m.kind != msgSpawnFailed {
			t.Errorf("kind %q without an error", m.kind)
		}
	})
}

func TestControlCarriesDescriptors(t *testing.T) {
	c, peer, err := newControl()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	defer unix.Close(peer)
	if err := c.spawn(9, peer, peer, peer, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	buf, oob := make([]byte, 64), make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(peer, buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(buf[:n]), "S\x00\x00\x00\x00\x00\x00\x09"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	cmsgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(cmsgs) != 1 {
		t.Fatalf("control messages %v, %v", cmsgs, err)
	}
	fds, err := unix.ParseUnixRights(&cmsgs[0])
	if err != nil || len(fds) != 3 {
		t.Fatalf("descriptors %v, %v; want three", fds, err)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}

func TestControlSeesTheZygoteLeave(t *testing.T) {
	c, peer, err := newControl()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	unix.Close(peer)
	if _, err := c.receive(); !errors.Is(err, io.EOF) {
		t.Errorf("receive: %v, want io.EOF", err)
	}
	if err := c.spawn(1, 0, 1, 2, time.Now().Add(time.Second)); !errors.Is(err, unix.EPIPE) {
		t.Errorf("spawn: %v, want EPIPE", err)
	}
}
