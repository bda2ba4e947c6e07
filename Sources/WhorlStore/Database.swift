import WhorlPostgres
import WhorlSchema

/// The migrator of the database schema.
package let schemaMigrator = Migrator(
    migrations: Schema.migrations.map { Migration(number: $0.number, name: $0.name, sql: $0.sql) }
)

/// All statements with a fixed text; a test prepares each of them against the migrated schema.
package let productStatements: [PostgresStatement] =
    BatchStatements.all + ResolutionStatements.all + ReferenceStatements.all + PartitionStatements.all
    + KeyStatements.list
    + AdministrationStatements.all + KeyAdministrationStatements.all + TokenStatements.all + IssueStatements.all
    + IssueChangeStatements.all + IssueSeriesStatements.all
    + EventStatements.all + TagStatements.all
    + RetentionStatements.all + MetricsStatements.all + OutcomeStatements.all + TagBacklogStatements.all
    + ProjectSettingsStatements.all
    + ClockStatements.all + DuplicateStatements.all + BudgetStatements.all + DictionaryStatements.all
    + MergeStatements.all
    + TrialStatements.all
    + RegroupStatements.all
    + RegroupCounting.all
