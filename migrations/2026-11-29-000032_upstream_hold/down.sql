-- Earlier versions know no hold, and block is the nearest.
UPDATE upstream_rules SET decision = 'block' WHERE decision = 'hold';
ALTER TABLE upstream_rules DROP CONSTRAINT upstream_rules_decision_check;
ALTER TABLE upstream_rules ADD CONSTRAINT upstream_rules_decision_check CHECK (decision IN ('allow', 'block'));
