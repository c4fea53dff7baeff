package phpext

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Open returns a new descriptor of the extension, close-on-exec, to be loaded by its path /proc/self/fd/N. The caller
// closes it, and hands it to a child by way of exec.Cmd.ExtraFiles or the like. Every user may open that path. The file
// has no name: it goes with its last descriptor.
func (e *Extension) Open() (*os.File, error) {
	f, err := e.memfd()
	if err == nil {
		return f, nil
	}
	f, tempErr := e.temp()
	if tempErr != nil {
		return nil, fmt.Errorf("no place for the extension: memfd: %w; file: %w", err, tempErr)
	}
	return f, nil
}

func (e *Extension) memfd() (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	// Kernels from 6.3 may be set to make memfds non-executable unless asked (vm.memfd_noexec); older ones refuse the flag.
	fd, err := unix.MemfdCreate("supervisor.so", flags|unix.MFD_EXEC)
	if err != nil {
		if fd, err = unix.MemfdCreate("supervisor.so", flags); err != nil {
			return nil, os.NewSyscallError("memfd_create", err)
		}
	}
	f := os.NewFile(uintptr(fd), "supervisor.so")
	if err := fill(f, e.data); err != nil {
		f.Close()
		return nil, err
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		f.Close()
		return nil, os.NewSyscallError("seal memfd", err)
	}
	return f, nil
}

// temp is for kernels and sandboxes without memfd.
func (e *Extension) temp() (*os.File, error) {
	w, err := os.CreateTemp("", "supervisor-*.so")
	if err != nil {
		return nil, err
	}
	defer w.Close()
	defer os.Remove(w.Name())
	if err := fill(w, e.data); err != nil {
		return nil, err
	}
	return os.Open(w.Name()) // read-only, unlike w
}

func fill(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Chmod(0o555)
}
