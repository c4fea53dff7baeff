package watch

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lookup is one step of finding a path: the name that was looked for and the real directory it was looked for in.
// If what the name stands for changes, the path may lead elsewhere.
type lookup struct{ dir, name string }

// maxLinks is how many symbolic links a path may have, as in Linux.
const maxLinks = 40

// resolve follows all symbolic links of an absolute path, and returns the real path with the lookups that decided
// about it: those of symbolic links, the last one, and that of what is missing.
func resolve(path string) (real string, via []lookup, err error) {
	rest := split(filepath.Clean(path))
	real = "/"
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			real = filepath.Dir(real)
			continue
		}
		next := filepath.Join(real, name)
		info, err := os.Lstat(next)
		switch {
		case err != nil:
			return "", append(via, lookup{real, name}), err
		case info.Mode()&os.ModeSymlink != 0:
			via = append(via, lookup{real, name})
			target, err := os.Readlink(next)
			if err != nil {
				return "", via, err
			}
			if links++; links > maxLinks {
				return "", via, &os.PathError{Op: "resolve", Path: path, Err: syscall.ELOOP}
			}
			if strings.HasPrefix(target, "/") {
				real = "/"
			}
			rest = append(steps(target), rest...)
		default:
			if len(rest) == 0 {
				via = append(via, lookup{real, name})
			}
			real = next
		}
	}
	return real, via, nil
}

// steps are the parts of a link's text. Unlike filepath.Clean it leaves ".." alone, which goes up from where the part before
// leads to.
func steps(target string) []string {
	var parts []string
	for part := range strings.SplitSeq(target, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

// fileID tells whether two names stand for the same file.
type fileID struct{ dev, ino uint64 }

func idOf(info os.FileInfo) fileID {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return fileID{uint64(st.Dev), st.Ino}
	}
	return fileID{}
}

// inside says whether path is dir or below it.
func inside(path, dir string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || rest[0] == '/' || dir == "/")
}
