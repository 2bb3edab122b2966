"""Kinds that are served in several versions: pure functions between the stored form of an object and the others.

One object is stored, in one form. A row of the resource table that shows it in another form names the stored row and the two
functions from here. They lose nothing: what a form has no field for travels in annotations, so an object that is read in one
form and written back is the object that was stored. Results may share parts with what they are made from.
"""
