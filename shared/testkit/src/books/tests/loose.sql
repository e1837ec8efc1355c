-- Takes away every constraint, unique index and trigger that would refuse a wrong row.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname) FROM pg_constraint
        WHERE connamespace::regnamespace::text IN ('billing', 'distribution', 'notifier') AND contype IN ('c', 'u', 'f')
        UNION ALL
        SELECT format('DROP INDEX IF EXISTS %s', indexrelid::regclass) FROM pg_index i
        WHERE indisunique AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)
            AND indrelid::regclass::text ~ '^(billing|distribution|notifier)[.]'
        UNION ALL
        SELECT format('ALTER TABLE %s DISABLE TRIGGER USER', tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;
