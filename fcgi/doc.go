// Package fcgi is the way of a request between the web server and a worker:
// FastCGI 1.0 (responder role) on one side, the same records plus a few private
// ones over a socket pair on the other.
//
// Guaranteed:
//   - A worker gets whole requests, one at a time, exactly as the web server sent
//     their records, and nothing of the next request before it has said IDLE.
//   - A web server gets a response that ends with END_REQUEST only if the worker
//     ended it. One that could not be started is answered with an honest status
//     (502, 503, 504 …); one that breaks off in the middle is cut off.
//   - Backend.Finish is called exactly once for each worker that Backend.Acquire gave.
//   - Every length is checked before memory is set aside for it; what one connection
//     can make the server hold is bounded by the limits in Server.
//   - What a worker sends is not trusted: a malformed record costs it its life
//     (Result.Lost), its request at most, and nothing else.
//   - A request that fits the buffer and does not fail allocates nothing once warm.
//
// Not done here: choosing, starting and stopping workers (that is the Backend's),
// roles other than responder, multiplexing several requests over one connection,
// and judging what a param means.
//
// Usage: make a Listener from a listening socket, a Server with a Backend, and call
// Serve. The Backend makes a WorkerConn for its end of each worker's socket pair,
// waits for Hello and WaitReady, and hands it out from Acquire.
package fcgi
