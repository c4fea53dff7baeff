package watch

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// pattern is one glob, cut at its slashes. A segment of "**" stands for any number of directories, none included.
type pattern struct {
	segments []string
	absolute bool // compared with paths from the root of the file system, not of the tree
	dirOnly  bool
}

var errEmptyPattern = errors.New("empty pattern")

// compile makes the patterns that glob stands for: one, or several if it has alternatives in braces.
//
// A glob without a slash (but at its end) matches a name at any depth, one with a slash a path at any depth; "./" at its
// start ties it to the tree's root, and "/" to the root of the file system. A slash at its end lets it match
// directories only.
func compile(glob string) ([]pattern, error) {
	alternatives, err := braces(glob)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", glob, err)
	}
	var patterns []pattern
	for _, g := range alternatives {
		p, err := compileOne(g)
		if err != nil {
			return nil, fmt.Errorf("pattern %q: %w", glob, err)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

func compileOne(glob string) (pattern, error) {
	var p pattern
	rest := strings.TrimRight(glob, "/")
	p.dirOnly = rest != glob
	rooted := strings.HasPrefix(rest, "./")
	p.absolute = strings.HasPrefix(rest, "/")
	for segment := range strings.SplitSeq(rest, "/") {
		switch segment {
		case "", ".":
			continue
		case "..":
			return p, errors.New(`".." is not possible in a pattern`)
		}
		if _, err := path.Match(segment, ""); err != nil {
			return p, err
		}
		if n := len(p.segments); segment == "**" && n > 0 && p.segments[n-1] == "**" {
			continue
		}
		p.segments = append(p.segments, segment)
	}
	if len(p.segments) == 0 {
		return p, errEmptyPattern
	}
	if !rooted && !p.absolute && p.segments[0] != "**" {
		p.segments = slices.Insert(p.segments, 0, "**")
	}
	return p, nil
}

// maxAlternatives bounds what braces can multiply to.
const maxAlternatives = 1000

// braces expands "a{b,c}d" to "abd", "acd", also nested.
func braces(glob string) ([]string, error) {
	open, depth := -1, 0
	var cuts []int
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '\\':
			i++
		case c == '{':
			if depth == 0 {
				open, cuts = i, []int{i}
			}
			depth++
		case c == ',' && depth == 1:
			cuts = append(cuts, i)
		case c == '}' && depth > 0:
			if depth--; depth > 0 {
				continue
			}
			cuts = append(cuts, i)
			tails, err := braces(glob[i+1:])
			if err != nil {
				return nil, err
			}
			var all []string
			for n, cut := range cuts[1:] {
				inner, err := braces(glob[cuts[n]+1 : cut])
				if err != nil {
					return nil, err
				}
				for _, middle := range inner {
					for _, tail := range tails {
						if len(all) == maxAlternatives {
							return nil, errors.New("too many alternatives")
						}
						all = append(all, glob[:open]+middle+tail)
					}
				}
			}
			return all, nil
		}
	}
	if depth > 0 {
		return nil, errors.New("unclosed brace")
	}
	return []string{glob}, nil
}

// matchSegments says whether the whole of segments matches.
func matchSegments(patterns, segments []string) bool {
	for len(patterns) > 0 {
		if patterns[0] == "**" {
			patterns = patterns[1:]
			for i := range len(segments) + 1 {
				if matchSegments(patterns, segments[i:]) {
					return true
				}
			}
			return false
		}
		if len(segments) == 0 || !matchSegment(patterns[0], segments[0]) {
			return false
		}
		patterns, segments = patterns[1:], segments[1:]
	}
	return len(segments) == 0
}

// matchBeginning says whether something in the directory of these segments could match.
func matchBeginning(patterns, segments []string) bool {
	for _, segment := range segments {
		switch {
		case len(patterns) == 0:
			return false
		case patterns[0] == "**":
			return true
		case !matchSegment(patterns[0], segment):
			return false
		}
		patterns = patterns[1:]
	}
	return len(patterns) > 0
}

func matchSegment(pattern, name string) bool {
	ok, _ := path.Match(pattern, name) // compileOne has made sure that the pattern is sound
	return ok
}

func split(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}

func hasMeta(s string) bool { return strings.ContainsAny(s, `*?[{\`) }

// matcher matches against many patterns, cheaply: it runs for each file whenever a tree is looked at. Most patterns end in a
// plain name, or in one with a single star.
type matcher struct {
	byName map[string][]pattern // by their last segment
	others []wild
}

// wild is a pattern with wildcards in its last segment.
type wild struct {
	pattern
	last           string
	prefix, suffix string // what a matching name begins and ends with
	enough         bool   // that is all there is to check of the name
}

func newWild(p pattern) wild {
	w := wild{pattern: p, last: p.segments[len(p.segments)-1]}
	if strings.ContainsRune(w.last, '\\') {
		return w
	}
	w.prefix = w.last[:strings.IndexAny(w.last, "*?[")]
	w.suffix = w.last[strings.LastIndexAny(w.last, "*?]")+1:]
	w.enough = w.last == w.prefix+"*"+w.suffix || w.last == "**"
	return w
}

func (w *wild) fits(name string) bool {
	return len(name) >= len(w.prefix)+len(w.suffix) &&
		strings.HasPrefix(name, w.prefix) && strings.HasSuffix(name, w.suffix) &&
		(w.enough || matchSegment(w.last, name))
}

func newMatcher(globs []string) (*matcher, error) {
	m := &matcher{byName: map[string][]pattern{}}
	for _, g := range globs {
		patterns, err := compile(g)
		if err != nil {
			return nil, err
		}
		for _, p := range patterns {
			if last := p.segments[len(p.segments)-1]; hasMeta(last) {
				m.others = append(m.others, newWild(p))
			} else {
				m.byName[last] = append(m.byName[last], p)
			}
		}
	}
	return m, nil
}

// match says whether one of the patterns matches what is called name in the directory.
func (m *matcher) match(n *node, name string, isDir bool) bool {
	for _, p := range m.byName[name] {
		if p.matches(n, name, isDir) {
			return true
		}
	}
	for i := range m.others {
		if w := &m.others[i]; w.fits(name) && w.matches(n, name, isDir) {
			return true
		}
	}
	return false
}

// matches says whether the whole path matches, given that the name does.
func (p pattern) matches(n *node, name string, isDir bool) bool {
	if p.dirOnly && !isDir {
		return false
	}
	if len(p.segments) == 2 && p.segments[0] == "**" && !p.absolute {
		return true // the caller has compared the name
	}
	for _, dir := range n.names(p.absolute) {
		if matchSegments(p.segments, append(split(dir), name)) {
			return true
		}
	}
	return false
}
