//! What cargo sends, as values: names, versions, dependencies, manifests, publish requests, tarballs. Nothing here
//! reads a clock, a file or a socket.
