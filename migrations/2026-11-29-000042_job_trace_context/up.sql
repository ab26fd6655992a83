-- The span that enqueued the job, as the traceparent of W3C Trace Context; null if no trace is exported.
ALTER TABLE jobs ADD COLUMN traceparent text CHECK (octet_length(traceparent) = 55);
