-- Crates and versions of upstreams can be put on hold.
ALTER TABLE upstream_rules DROP CONSTRAINT upstream_rules_decision_check;
ALTER TABLE upstream_rules ADD CONSTRAINT upstream_rules_decision_check CHECK (decision IN ('allow', 'hold', 'block'));
