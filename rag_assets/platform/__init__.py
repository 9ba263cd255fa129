"""The ground floor: settings, storage, tables, database, locks, contracts, the bridge to Dagster."""
