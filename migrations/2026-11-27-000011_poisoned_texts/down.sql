-- Rows were changed, and nothing of the schema: there is nothing to take back.
SELECT 1;
