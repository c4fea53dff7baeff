package pool

import "testing"

func TestSpawn(t *testing.T) {
	static := Sizing{Mode: Static, MaxChildren: 4}
	dynamic := Sizing{Mode: Dynamic, MaxChildren: 10, StartServers: 2, MinSpare: 2, MaxSpare: 4, MaxSpawnRate: 5}
	ondemand := Sizing{Mode: OnDemand, MaxChildren: 3}
	tests := []struct {
		name string
		s    Sizing
		l    load
		want int
	}{
		{"static fills up", static, load{}, 4},
		{"static is full", static, load{idle: 1, busy: 3}, 0},
		{"static counts the starting", static, load{idle: 1, starting: 3, waiting: 9}, 0},
		{"static does not count a replacement", static, load{idle: 3, starting: 1, replacing: 1}, 1},
		{"dynamic keeps spare ones", dynamic, load{idle: 0, busy: 3}, 2},
		{"dynamic is content", dynamic, load{idle: 2, busy: 3}, 0},
		{"dynamic follows the queue", dynamic, load{busy: 3, waiting: 4}, 4},
		{"dynamic does not fork twice for one waiter", dynamic, load{busy: 3, starting: 4, waiting: 4}, 0},
		{"dynamic keeps to the rate", dynamic, load{busy: 3, waiting: 40}, 5},
		{"dynamic keeps to the limit", dynamic, load{busy: 9, waiting: 40}, 1},
		{"ondemand rests", ondemand, load{}, 0},
		{"ondemand wakes", ondemand, load{waiting: 1}, 1},
		{"ondemand keeps to the limit", ondemand, load{busy: 2, starting: 1, waiting: 5}, 0},
		{"a limit lowered by a reload never gives a negative number", static, load{busy: 9}, 0},
	}
	for _, tt := range tests {
		if got := tt.s.spawn(tt.l); got != tt.want {
			t.Errorf("%s: spawn(%+v) = %d, want %d", tt.name, tt.l, got, tt.want)
		}
	}
}

func TestSurplus(t *testing.T) {
	dynamic := Sizing{Mode: Dynamic, MaxChildren: 10, MinSpare: 2, MaxSpare: 4}
	for _, tt := range []struct {
		name string
		s    Sizing
		l    load
		want int
	}{
		{"at the limit", dynamic, load{idle: 4}, 0},
		{"above it, one at a time", dynamic, load{idle: 9}, 1},
		{"not while requests wait", dynamic, load{idle: 9, waiting: 1}, 0},
		{"never in a static pool", Sizing{Mode: Static, MaxChildren: 2}, load{idle: 9}, 0},
	} {
		if got := tt.s.surplus(tt.l); got != tt.want {
			t.Errorf("%s: surplus(%+v) = %d, want %d", tt.name, tt.l, got, tt.want)
		}
	}
}

func TestInitial(t *testing.T) {
	for _, tt := range []struct {
		s    Sizing
		want int
	}{
		{Sizing{Mode: Static, MaxChildren: 3}, 3},
		{Sizing{Mode: Dynamic, MaxChildren: 3, StartServers: 2}, 2},
		{Sizing{Mode: Dynamic, MaxChildren: 3, StartServers: 9}, 3},
		{Sizing{Mode: Dynamic, MaxChildren: 3}, 1},
		{Sizing{Mode: OnDemand, MaxChildren: 3}, 0},
	} {
		if got := tt.s.initial(); got != tt.want {
			t.Errorf("initial(%+v) = %d, want %d", tt.s, got, tt.want)
		}
	}
}
