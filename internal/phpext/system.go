package phpext

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Below these figures a busy server or a big source tree runs into the limit.
const (
	wantedFiles   = 4096
	wantedWatches = 65536
)

func systemChecks(root string) []Check {
	return []Check{userCheck(), filesCheck(), watchesCheck(root), memfdCheck(), subreaperCheck(), pidfdCheck(), procCheck(root)}
}

func userCheck() Check {
	uid := os.Geteuid()
	if uid == 0 {
		return Check{OK, "user", "root: pools run as the user they name", ""}
	}
	name := strconv.Itoa(uid)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return Check{OK, "user", name + ": all pools run as this user, and ports below 1024 are out of reach", ""}
}

func filesCheck() Check {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return Check{Warn, "open files", err.Error(), ""}
	}
	// Go raises the soft limit to the hard one for itself; the hard one decides.
	c := Check{OK, "open files", fmt.Sprintf("up to %d", l.Max), ""}
	if l.Max < wantedFiles {
		c.Verdict = Warn
		c.Remedy = fmt.Sprintf("ulimit -Hn %d, LimitNOFILE= in the systemd unit, or rlimit_files", wantedFiles)
	}
	return c
}

func watchesCheck(root string) Check {
	const name = "/proc/sys/fs/inotify/max_user_watches"
	b, err := os.ReadFile(filepath.Join(root, name))
	n, convErr := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || convErr != nil {
		return Check{Warn, "inotify", "limit of watches is unknown", "watching for changes may fall back to polling"}
	}
	if n < wantedWatches {
		return Check{Warn, "inotify", fmt.Sprintf("up to %d watches: big trees are polled instead", n),
			fmt.Sprintf("sysctl fs.inotify.max_user_watches=%d", 8*wantedWatches)}
	}
	return Check{OK, "inotify", fmt.Sprintf("up to %d watches", n), ""}
}

func memfdCheck() Check {
	fd, err := unix.MemfdCreate("doctor", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return Check{Warn, "memfd", fmt.Sprintf("missing (%v): a temporary file is used", err), ""}
	}
	unix.Close(fd)
	return Check{OK, "memfd", "there", ""}
}

func subreaperCheck() Check {
	var old int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&old)), 0, 0, 0); err != nil {
		return Check{Fail, "subreaper", fmt.Sprintf("missing (%v): workers could not be waited for", err), "Linux 3.4 or newer is needed"}
	}
	return Check{OK, "subreaper", "there", ""}
}

func pidfdCheck() Check {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return Check{Warn, "pidfd", fmt.Sprintf("missing (%v): signals go by process number", err), "Linux 5.3 or newer has it"}
	}
	unix.Close(fd)
	return Check{OK, "pidfd", "there", ""}
}

func procCheck(root string) Check {
	if _, err := os.Stat(filepath.Join(root, "/proc/self/fd")); err != nil {
		return Check{Fail, "/proc", "not mounted: PHP cannot open the extension", "mount -t proc proc /proc"}
	}
	return Check{OK, "/proc", "there", ""}
}
