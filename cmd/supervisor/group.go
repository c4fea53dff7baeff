package main

// actor is a part of the program that runs until it ends by itself or is interrupted. interrupt may be called at any
// time, also before execute has begun and after it has returned, and makes execute return soon.
type actor struct {
	execute   func() error
	interrupt func()
}

// group runs actors together.
type group struct{ actors []actor }

func (g *group) add(execute func() error, interrupt func()) {
	g.actors = append(g.actors, actor{execute, interrupt})
}

// run starts all actors. When the first returns, all are interrupted; when all have returned, run returns what the first
// did.
func (g *group) run() error {
	if len(g.actors) == 0 {
		return nil
	}
	returned := make(chan error, len(g.actors)) // one from each actor; never closed
	for _, a := range g.actors {
		go func() { returned <- a.execute() }()
	}
	first := <-returned
	for _, a := range g.actors {
		a.interrupt()
	}
	for range g.actors[1:] {
		<-returned
	}
	return first
}
