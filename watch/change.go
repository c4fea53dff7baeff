package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxFiles is how many names a Change carries.
const maxFiles = 20

// Change is what one burst of changes came to.
type Change struct {
	// Files are the files that were created, modified, renamed or removed, sorted, at most 20 of them. They are named
	// through the tree as it was configured, symbolic links and all. A tree that has been replaced or has come back
	// stands for its files.
	Files []string
	// Total is how many files there were.
	Total int
	// Trees are those of Config.Trees that have changed, as they were spelt there.
	Trees []string
}

// String names the files, for the log: the first three, and how many more there are.
func (c Change) String() string {
	const named = 3
	shown := c.Files[:min(len(c.Files), named)]
	switch more := c.Total - len(shown); {
	case more > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), more)
	default:
		return strings.Join(shown, ", ")
	}
}

// changeSet collects what has changed. Its zero value is empty and ready for use.
type changeSet struct {
	files, trees map[string]struct{}
}

func (s *changeSet) empty() bool { return len(s.files) == 0 }

func (s *changeSet) add(tree, file string) {
	if s.files == nil {
		s.files, s.trees = map[string]struct{}{}, map[string]struct{}{}
	}
	s.files[file] = struct{}{}
	s.trees[tree] = struct{}{}
}

func (s *changeSet) merge(more changeSet) {
	if s.empty() {
		*s = more
		return
	}
	maps.Copy(s.files, more.files)
	maps.Copy(s.trees, more.trees)
}

func (s *changeSet) change() Change {
	files := slices.Sorted(maps.Keys(s.files))
	return Change{
		Files: slices.Clip(files[:min(len(files), maxFiles)]),
		Total: len(files),
		Trees: slices.Sorted(maps.Keys(s.trees)),
	}
}
