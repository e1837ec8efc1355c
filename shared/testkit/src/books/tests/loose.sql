-- Takes away every constraint, unique index and trigger that would refuse a wrong row.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        -- A partition's after those of its whole.
        (SELECT format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I CASCADE', conrelid::regclass, conname)
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
         WHERE connamespace::regnamespace::text IN ('billing', 'distribution', 'notifier') AND contype IN ('c', 'u', 'f')
         ORDER BY c.relispartition)
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
