// Fakephp stands in for php-cli in the pool's tests: started by a pool it is a zygote, which starts it again as an
// intermediate process, which starts it as a worker and leaves, so that the worker becomes the reaper's child. It is written
// from docs/PROTOCOL.md alone and shares no code with the package.
//
// What it does is told by directives: see fakeZygote and fakeWorker.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	switch os.Getenv("FAKE_PHP") {
	case "intermediate":
		fakeIntermediate()
	case "worker":
		fakeWorker()
	default:
		fakeZygote()
	}
}

func die(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(3)
}

func fakeZygote() {
	const control = 3
	buf := make([]byte, 1<<18)
	n, err := unix.Read(control, buf)
	if err != nil || n == 0 || buf[0] != 'C' {
		die("no CONFIG: %q, %v", buf[:max(n, 0)], err)
	}
	pairs := strings.Split(string(buf[1:n]), "\x00")
	var env []string
	for i := 0; i+1 < len(pairs); i += 2 {
		env = append(env, "FAKE_"+pairs[i]+"="+pairs[i+1])
		switch pairs[i] + "=" + pairs[i+1] {
		case "zygote=broken":
			die("PHP Fatal error:  Uncaught Error: preload is broken")
		case "zygote=hang":
			hang()
		case "zygote=garbage":
			_ = unix.Sendmsg(control, []byte("?garbage?"), nil, nil, 0)
			hang()
		}
	}
	ready := binary.BigEndian.AppendUint32([]byte("R\x00\x00\x00"), uint32(os.Getpid()))
	if err := unix.Sendmsg(control, append(ready, "8.2.0"...), nil, nil, 0); err != nil {
		die("READY: %v", err)
	}
	switch {
	case slices.Contains(env, "FAKE_zygote=dies"):
		die("dies after READY")
	case slices.Contains(env, "FAKE_zygote=leaves a child"): // which holds its output open
		cmd := exec.Command("sleep", "3600")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			die("%v", err)
		}
		fmt.Fprintf(os.Stderr, "child %d.", cmd.Process.Pid)
	}
	for {
		oob := make([]byte, 256)
		n, oobn, _, _, err := unix.Recvmsg(control, buf, oob, unix.MSG_CMSG_CLOEXEC)
		if err == unix.EINTR {
			continue
		}
		if n == 0 || err != nil {
			os.Exit(0)
		}
		cmsgs, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(cmsgs) != 1 || n != 8 || buf[0] != 'S' {
			die("SPAWN: %q, %v", buf[:n], err)
		}
		fds, _ := unix.ParseUnixRights(&cmsgs[0])
		pid, err := syscall.ForkExec("/proc/self/exe", []string{"intermediate"}, &syscall.ProcAttr{
			Env:   append(env, "FAKE_PHP=intermediate"),
			Files: []uintptr{0, uintptr(fds[1]), uintptr(fds[2]), uintptr(fds[0])},
		})
		if err != nil {
			die("fork: %v", err)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
		var st syscall.WaitStatus
		_, _ = syscall.Wait4(pid, &st, 0, nil)
	}
}

func fakeIntermediate() {
	os.Setenv("FAKE_PHP", "worker")
	env := os.Environ()
	if _, err := syscall.ForkExec("/proc/self/exe", []string{"worker"}, &syscall.ProcAttr{Env: env, Files: []uintptr{0, 1, 2, 3}}); err != nil {
		die("fork: %v", err)
	}
	os.Exit(0)
}

func record(typ byte, id uint16, content []byte) []byte {
	b := []byte{1, typ, byte(id >> 8), byte(id), byte(len(content) >> 8), byte(len(content)), 0, 0}
	return append(b, content...)
}

func fakeWorker() {
	sock := os.NewFile(3, "socket")
	hello := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1}, uint32(os.Getpid()))
	how, file, _ := strings.Cut(os.Getenv("FAKE_boot"), "@")
	if _, err := os.Stat(file); file != "" && err != nil {
		how = "" // it goes wrong only while the file is there
	}
	switch how {
	case "silent":
		hang()
	case "broken":
		_, _ = sock.Write(record(64, 0, hello))
		die("PHP Fatal error:  Uncaught Error: worker.php is broken")
	case "hang once": // whoever takes the file away
		if os.Remove(file) == nil {
			_, _ = sock.Write(record(64, 0, hello))
			_, _ = io.Copy(io.Discard, sock)
			os.Exit(0)
		}
	case "die": // when it has just got ready
		_, _ = sock.Write(append(record(64, 0, hello), record(65, 0, nil)...))
		time.Sleep(5 * time.Millisecond)
		os.Exit(3)
	case "never ready":
		_, _ = sock.Write(record(64, 0, hello))
		_, _ = io.Copy(io.Discard, sock)
		os.Exit(0)
	}
	_, _ = sock.Write(append(record(64, 0, hello), record(65, 0, nil)...))
	served := uint32(0)
	for {
		id, uri, err := readRequest(sock)
		if err != nil {
			if os.Getenv("FAKE_leave") == "never" {
				hang()
			}
			os.Exit(0)
		}
		served++
		path, arg, _ := strings.Cut(uri, "?")
		flags := uint32(0)
		switch path {
		case "/crash":
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			hang()
		case "/garbage":
			_, _ = sock.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			hang()
		case "/hang":
			hang()
		case "/wait": // until the file named by the query is gone
			for {
				if _, err := os.Stat(arg); err != nil {
					break
				}
				time.Sleep(2 * time.Millisecond)
			}
		case "/fatal":
			flags = 3
		case "/renew":
			flags = 4
		case "/print":
			fmt.Println(arg)
		case "/crash-once": // the file named by the query is there: take it away and crash
			if os.Remove(arg) == nil {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				hang()
			}
		}
		body := fmt.Sprintf("Content-Type: text/plain\r\n\r\n%d %d %s", os.Getpid(), served, os.Getenv("FAKE_generation"))
		out := append(record(6, id, []byte(body)), record(3, id, make([]byte, 8))...)
		if path == "/finish" { // the response ends before the request
			_, _ = sock.Write(out)
			out = nil
			for {
				if _, err := os.Stat(arg); err != nil {
					break
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
		idle := make([]byte, 32, 40)
		idle = binary.BigEndian.AppendUint32(idle, flags)
		idle = binary.BigEndian.AppendUint32(idle, served)
		_, _ = sock.Write(append(out, record(66, 0, idle)...))
		if flags&1 != 0 {
			os.Exit(255)
		}
	}
}

// readRequest reads to the empty STDIN and returns the request's id and REQUEST_URI.
func readRequest(r io.Reader) (id uint16, uri string, err error) {
	var params []byte
	for {
		var h [8]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return 0, "", err
		}
		content := make([]byte, int(binary.BigEndian.Uint16(h[4:]))+int(h[6]))
		if _, err := io.ReadFull(r, content); err != nil {
			return 0, "", err
		}
		content = content[:len(content)-int(h[6])]
		switch h[1] {
		case 4:
			params = append(params, content...)
		case 5:
			if len(content) == 0 {
				_, after, _ := bytes.Cut(params, []byte("REQUEST_URI"))
				return binary.BigEndian.Uint16(h[2:]), string(after), nil // the test client sends it last
			}
		}
	}
}

// hang does nothing, for longer than any test.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}
