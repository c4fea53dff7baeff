package devserver

import (
	"fmt"
	"html/template"
	"net/http"
)

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{.Title}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 3rem auto; max-width: 60rem; padding: 0 1rem; color: #222; background: #fff; }
h1 { font-size: 1.4rem; color: #b00020; }
pre { background: #f4f4f4; padding: 1rem; overflow: auto; white-space: pre-wrap; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b; } pre { background: #2a2a2a; } h1 { color: #ff7a7a; } }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<pre>{{.Text}}</pre>
<p>This page reloads when a file changes.</p>
{{.Script}}</body>
</html>
`))

// errorPage says what is wrong, to people and to programs.
func errorPage(w http.ResponseWriter, r *http.Request, status int, title, text, token string) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if !navigates(r) {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, "%s\n%s\n", title, text)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, map[string]any{ // the browser has gone
		"Title": title, "Text": text, "Script": template.HTML(scriptElement(token)),
	})
}
