"""What OpenLineage is told of a job, a run and a table: the facets of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from openlineage.client import facet_v2 as facets
from openlineage.client.event_v2 import InputDataset, OutputDataset

from warehouse_assets._version import __version__
from warehouse_assets.column_lineage import COLUMN_LINEAGE, TableColumnDep, TableColumnLineage
from warehouse_assets.definitions.naming import Place
from warehouse_assets.events import AssetCheckEvaluation, AssetMaterialization, ErrorInfo
from warehouse_assets.graph.asset_graph import AssetNode
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import SQL_TEXT
from warehouse_assets.tables import TableSchema
from warehouse_assets.telemetry.datasets import DatasetName
from warehouse_assets.telemetry.watched import measured

__all__ = ["PRODUCER", "error_facet", "input_dataset", "job_facets", "job_type", "output_dataset", "query_facet", "run_facets"]

PRODUCER = f"https://pypi.org/project/warehouse-assets/{__version__}"

_SUBTYPES = {"direct": "IDENTITY", "derived": "TRANSFORMATION", "aggregated": "AGGREGATION"}

Names = Callable[[AssetKey], DatasetName]
Facets = dict[str, Any]


def job_type(kind: str) -> Facets:
    """What kind of job it is: a run of several assets, or the making or checking of some."""
    made = facets.job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="WAREHOUSE_ASSETS", jobType=kind, producer=PRODUCER
    )
    return {"jobType": made}


def job_facets(node: AssetNode, dialect: str | None) -> Facets:
    """What is declared of the asset that a job makes: where, what people say of it, and its query."""
    found: Facets = {}
    place = node.definition.place if node.definition is not None else node.spec.place
    if place is not None:
        found["sourceCodeLocation"] = _source(place)
    if node.spec.description:
        found["documentation"] = facets.documentation_job.DocumentationJobFacet(
            description=node.spec.description, contentType="text/markdown", producer=PRODUCER
        )
    if node.spec.owners:
        owners = [facets.ownership_job.Owner(name=owner) for owner in node.spec.owners]
        found["ownership"] = facets.ownership_job.OwnershipJobFacet(owners=owners, producer=PRODUCER)
    if node.sql is not None:
        found["sql"] = facets.sql_job.SQLJobFacet(query=node.sql.render()[0], dialect=dialect, producer=PRODUCER)
    return found


def run_facets(tags: Mapping[str, str]) -> Facets:
    """What ran it, and with which tags."""
    engine = facets.processing_engine_run.ProcessingEngineRunFacet(
        version=__version__, name="warehouse-assets", producer=PRODUCER
    )
    if not tags:
        return {"processing_engine": engine}
    fields = [
        facets.tags_run.TagsRunFacetFields(key=key, value=value, source="WAREHOUSE_ASSETS") for key, value in tags.items()
    ]
    return {"processing_engine": engine, "tags": facets.tags_run.TagsRunFacet(tags=fields, producer=PRODUCER)}


def error_facet(message: str, error: ErrorInfo | None = None) -> Facets:
    """Why it failed."""
    text = f"{error.cls_name}: {error.message}" if error is not None else message
    stack = error.stack if error is not None else None
    made = facets.error_message_run.ErrorMessageRunFacet(
        message=text, programmingLanguage="PYTHON", stackTrace=stack, producer=PRODUCER
    )
    return {"errorMessage": made}


def input_dataset(node: AssetNode | None, name: DatasetName, evaluations: Iterable[AssetCheckEvaluation] = ()) -> InputDataset:
    """A table that is read, and how checks of it went."""
    own = _assertions(evaluations)
    return InputDataset(*name, facets=_declared(node) if node is not None else {}, inputFacets=own)


def output_dataset(node: AssetNode, name: DatasetName, made: AssetMaterialization | None, names: Names) -> OutputDataset:
    """A table that is written, with what was recorded of the write, once there was one."""
    found = _declared(node)
    written: Facets = {}
    if made is not None:
        schema, lineage = (_value(made, each) for each in ("column_schema", COLUMN_LINEAGE))
        if isinstance(schema, TableSchema):
            found["schema"] = _schema(schema)
        if isinstance(lineage, TableColumnLineage) and (lineage.deps_by_column or lineage.row_deps):
            found["columnLineage"] = _column_lineage(lineage, names)
        if isinstance(version := _value(made, "table_version"), str):
            found["version"] = facets.dataset_version_dataset.DatasetVersionDatasetFacet(
                datasetVersion=version, producer=PRODUCER
            )
        rows = measured(made.metadata, "partition_row_count")
        rows = measured(made.metadata, "row_count") if rows is None else rows
        size = measured(made.metadata, "byte_size")
        if rows is not None or size is not None:
            written["outputStatistics"] = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=rows, size=size, producer=PRODUCER
            )
    return OutputDataset(*name, facets=found, outputFacets=written)


def _assertions(evaluations: Iterable[AssetCheckEvaluation]) -> Facets:
    """How checks went."""
    found = [
        facets.data_quality_assertions_dataset.Assertion(
            assertion=each.check_name,
            name=each.check_name,
            success=each.passed,
            severity=each.severity.value.lower(),
            description=each.description,
        )
        for each in evaluations
    ]
    if not found:
        return {}
    facet = facets.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions=found, producer=PRODUCER)
    return {"dataQualityAssertions": facet}


def query_facet(made: AssetMaterialization, dialect: str | None) -> Facets:
    """The query that made a table, where it was recorded."""
    text = _value(made, SQL_TEXT)
    return {"sql": facets.sql_job.SQLJobFacet(query=text, dialect=dialect, producer=PRODUCER)} if isinstance(text, str) else {}


def _declared(node: AssetNode) -> Facets:
    found: Facets = {}
    if node.spec.description:
        found["documentation"] = facets.documentation_dataset.DocumentationDatasetFacet(
            description=node.spec.description, contentType="text/markdown", producer=PRODUCER
        )
    if node.spec.owners:
        owners = [facets.ownership_dataset.Owner(name=owner) for owner in node.spec.owners]
        found["ownership"] = facets.ownership_dataset.OwnershipDatasetFacet(owners=owners, producer=PRODUCER)
    return found


def _schema(schema: TableSchema) -> facets.schema_dataset.SchemaDatasetFacet:
    fields = [
        facets.schema_dataset.SchemaDatasetFacetFields(
            name=column.name, type=column.type, description=column.description, ordinal_position=place
        )
        for place, column in enumerate(schema, 1)
    ]
    return facets.schema_dataset.SchemaDatasetFacet(fields=fields, producer=PRODUCER)


def _column_lineage(lineage: TableColumnLineage, names: Names) -> facets.column_lineage_dataset.ColumnLineageDatasetFacet:
    form = facets.column_lineage_dataset

    def read(dep: TableColumnDep, kind: str, subtype: str) -> form.InputField:
        how = form.Transformation(type=kind, subtype=subtype)
        return form.InputField(*names(dep.asset_key), field=dep.column_name, transformations=[how])

    fields = {}
    for column, deps in lineage.deps_by_column.items():
        subtype = _SUBTYPES.get(lineage.kind_by_column.get(column, "derived"), "TRANSFORMATION")
        fields[column] = form.Fields(inputFields=[read(dep, "DIRECT", subtype) for dep in deps])
    rows = [read(dep, "INDIRECT", "FILTER") for dep in lineage.row_deps]
    return form.ColumnLineageDatasetFacet(fields=fields, dataset=rows, producer=PRODUCER)


def _source(place: Place) -> facets.source_code_location_job.SourceCodeLocationJobFacet:
    file = os.path.abspath(place.file)
    return facets.source_code_location_job.SourceCodeLocationJobFacet(
        type="file", url=f"{Path(file).as_uri()}#L{place.line}", path=os.path.relpath(file), producer=PRODUCER
    )


def _value(made: AssetMaterialization, name: str) -> Any:
    return made.metadata[name].value if name in made.metadata else None
