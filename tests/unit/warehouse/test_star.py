"""The readable star: every reference leads to a key, and the views have the columns that they are said to have."""

from schemas.star import BY_ENTITY, VIEWS


def test_a_reference_leads_from_columns_of_its_view_to_the_key_or_a_unique_column_of_another():
    unique = {("dim_date", ("date",))}
    for view in VIEWS:
        names = {c.name: c for c in view.columns}
        for reference in view.references:
            target = BY_ENTITY[reference.target]
            assert target.key == reference.target_columns or (target.entity, reference.target_columns) in unique
            types = {c.name: c.type for c in target.columns}
            assert [names[c].type for c in reference.columns] == [types[c] for c in reference.target_columns], (view.entity, reference)


def test_a_key_is_made_of_columns_of_its_view():
    for view in VIEWS:
        assert set(view.key) <= {c.name for c in view.columns}
