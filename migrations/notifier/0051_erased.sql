-- What became of a person's data that was to be removed is asked for by his tenant.
CREATE INDEX masked_sales_of_erasure ON notifier.masked_sales (erasure_id) WHERE erasure_id IS NOT NULL;
GRANT SELECT ON notifier.masked_sales TO leadflow_notifier_tenant;
