// Command generate writes the reference of all directives; "go generate" runs it.
package main

import (
	"bytes"
	"flag"
	"log"
	"os"

	"php-supervisor/internal/config"
)

func main() {
	output := flag.String("o", "CONFIGURATION.md", "the file to write")
	flag.Parse()
	var text bytes.Buffer
	if err := config.WriteReference(&text); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*output, text.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
