package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// errTooManyMatches ends a pattern that matches more than a configuration can have.
var errTooManyMatches = errors.New("it matches too many files")

// glob is glob(3) with GLOB_ERR: sorted by bytes, hidden files only for a pattern
// that begins with a dot, and an unreadable directory is an error. The pattern is
// absolute.
func glob(pattern string) ([]string, error) {
	found := []string{""}
	for part := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		var next []string
		for _, dir := range found {
			names, err := globPart(dir+"/", part)
			if err != nil {
				return nil, err
			}
			if next = append(next, names...); len(next) > maxFiles {
				return nil, errTooManyMatches
			}
		}
		found = next
	}
	slices.Sort(found)
	return found, nil
}

// globPart matches one part of a pattern in one directory, whose name ends with a
// slash. A directory that is not there matches nothing.
func globPart(dir, part string) ([]string, error) {
	if !strings.ContainsAny(part, `*?[\`) {
		if _, err := os.Lstat(dir + part); err != nil {
			return nil, nil
		}
		return []string{dir + part}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || !isDir(dir) {
			return nil, nil
		}
		return nil, err
	}
	defer f.Close()
	all, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	part = strings.ReplaceAll(part, "[!", "[^")
	var names []string
	for _, name := range all {
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(part, ".") {
			continue
		}
		// A malformed pattern stands for itself, as in glob(3).
		if ok, err := filepath.Match(part, name); ok || err != nil && name == part {
			names = append(names, dir+name)
		}
	}
	return names, nil
}
