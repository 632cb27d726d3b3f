import type { MigrationInterface, QueryRunner } from 'typeorm'

export class IndexAuditFacets1763700000006 implements MigrationInterface {
  readonly name = 'IndexAuditFacets1763700000006'

  async up(runner: QueryRunner): Promise<void> {
    // Whatever can be asked for by value, as one number each: an index of four-byte numbers stays small and compares
    // no texts. Two values may share a number, so queries compare the columns as well. Nothing but functions of
    // Postgres itself in it: a restored dump makes the index with an empty search path.
    await runner.query(`
      CREATE FUNCTION sys_audit_log_facets(
        adapter_id uuid, adapter_name text, adapter_kind text, source text, operation text, status text,
        error_code text, destination text, process_id text, element_id text, actor text
      ) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT array_remove(ARRAY[
          hashtext('adapter_id:' || $1::text), hashtext('adapter_name:' || $2), hashtext('adapter_kind:' || $3),
          hashtext('source:' || $4), hashtext('operation:' || $5), hashtext('status:' || $6),
          hashtext('error_code:' || $7), hashtext('destination:' || $8), hashtext('process_id:' || $9),
          hashtext('element_id:' || $10), hashtext('actor:' || $11)], NULL)
      $$`)
    // A short list of what is not sorted in yet: each query of the current day reads it through.
    await runner.query(`
      CREATE INDEX sys_audit_log_facets ON sys_audit_log USING gin ((sys_audit_log_facets(
        adapter_id, adapter_name, adapter_kind, source, operation, status, error_code, destination, process_id,
        element_id, actor))) WITH (gin_pending_list_limit = 512)`)
    await runner.query('CREATE INDEX sys_audit_log_job_key ON sys_audit_log (job_key)')
    await runner.query('DROP INDEX sys_audit_log_adapter')
    await runner.query('DROP INDEX sys_audit_log_trouble')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX sys_audit_log_trouble ON sys_audit_log (at) WHERE status <> 'published'`)
    await runner.query('CREATE INDEX sys_audit_log_adapter ON sys_audit_log (adapter_id, at)')
    await runner.query('DROP INDEX sys_audit_log_job_key')
    await runner.query('DROP INDEX sys_audit_log_facets')
    await runner.query('DROP FUNCTION sys_audit_log_facets')
  }
}
