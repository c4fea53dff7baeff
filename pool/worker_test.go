package pool

import (
	"os"
	"testing"
)

func TestParseStatm(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want uint64
		bad  bool
	}{
		{"1000 300 100 5 0 50 0\n", 200, false},
		{"1000 100 300 5 0 50 0\n", 0, false},
		{"", 0, true},
		{"1000 300", 0, true},
		{"1000 -3 1 ", 0, true},
		{"1 99999999999999999999999 1 ", 0, true},
	} {
		got, err := parseStatm([]byte(tt.in))
		if (err != nil) != tt.bad || got != tt.want*pageSize {
			t.Errorf("parseStatm(%q) = %d, %v; want %d pages, error %v", tt.in, got, err, tt.want, tt.bad)
		}
	}
}

func TestPrivateMemoryOfThisProcess(t *testing.T) {
	f, err := openMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	before, err := privateMemory(f)
	if err != nil || before == 0 {
		t.Fatalf("privateMemory = %d, %v", before, err)
	}
	const size = 64 << 20
	block := make([]byte, size)
	for i := range block {
		block[i] = 1
	}
	after, err := privateMemory(f)
	if err != nil {
		t.Fatal(err)
	}
	if after < before+size/2 {
		t.Errorf("after touching %d bytes private memory went from %d to %d", len(block), before, after)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = privateMemory(f) }); n > 0 && !raceDetector { // which allocates
		t.Errorf("a sample allocates %v times", n)
	}
}
