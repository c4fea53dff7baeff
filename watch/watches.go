package watch

import "fmt"

// watchDir asks for events of a directory, and reports whether there will be some.
func (w *Watcher) watchDir(dir string) bool {
	if w.src == nil || w.broken != nil {
		return false
	}
	if w.cfg.Method == Auto {
		if kind, ok := remoteKinds[w.sys.fileSystem(dir)]; ok {
			w.broken = &remoteError{dir, kind}
			return false
		}
	}
	err := w.src.Add(dir)
	switch {
	case err == nil:
		delete(w.refused, dir)
		return true
	case exhausted(err):
		w.broken = err
	case missing(err): // what it was needed for will be found missing too
	default:
		if _, told := w.refused[dir]; !told {
			w.refused[dir] = struct{}{}
			w.cfg.Log.Warn(fmt.Sprintf("watch: no events for %s: %v", dir, err))
		}
	}
	return false
}

// reconcile makes the kernel's watches those that are needed: a watch goes with a directory that is renamed, and is lost when
// that is noticed. It reports whether watches had to be added, in which case there is something to look at again.
func (w *Watcher) reconcile() (again bool) {
	want := map[string]struct{}{}
	for _, t := range w.trees {
		t.watched(want)
	}
	for dir := range w.refused {
		if _, ok := want[dir]; !ok {
			delete(w.refused, dir)
		}
	}
	for _, dir := range w.src.WatchList() {
		if _, ok := want[dir]; ok {
			delete(want, dir)
			continue
		}
		_ = w.src.Remove(dir) // fails if the directory is gone, and the watch with it
	}
	for dir := range want {
		if !w.watchDir(dir) {
			continue
		}
		again = true
		for _, t := range w.trees {
			t.late(dir)
			w.unsettled = w.unsettled || t.leadsThrough(dir)
		}
	}
	return again
}

// fallBack changes over to polling if events are of no use any more. A directory that was missed in between is found by
// the next look at everything.
func (w *Watcher) fallBack() {
	if w.broken == nil {
		return
	}
	if w.src != nil {
		w.src.close()
		w.src = nil
		if w.tick != nil {
			w.tick.Reset(w.interval())
		}
	}
	w.cfg.Log.Warn(fmt.Sprintf("watch: polling every %v: %s", w.cfg.PollInterval, explain(w.broken)))
	w.broken = nil
}
