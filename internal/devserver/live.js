// Reloads the page when the server has changed from the state the page was made in.
(function () {
	var state = new URL(document.currentScript.src).searchParams.get('g');
	var events = null;

	function listen() {
		if (events || document.hidden) {
			return;
		}
		events = new EventSource('/.supervisor/live?g=' + encodeURIComponent(state));
		events.addEventListener('reload', function () {
			stop();
			location.reload();
		});
	}

	function stop() {
		if (events) {
			events.close();
			events = null;
		}
	}

	// A browser keeps few connections to a server; tabs nobody looks at must not use them up.
	document.addEventListener('visibilitychange', function () {
		if (document.hidden) {
			stop();
		} else {
			listen();
		}
	});
	addEventListener('pagehide', stop);
	addEventListener('pageshow', listen);
	listen();
})();
