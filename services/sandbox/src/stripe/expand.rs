//! `expand[]`: objects in the place of their ids.

use serde_json::Value;

use super::{
    Params,
    core::Core,
    error::{Outcome, StripeError},
};

/// As deep as Stripe goes.
const MAX_DEPTH: usize = 4;
/// Paths of one call.
const MAX_PATHS: usize = 20;

impl Core {
    /// Puts the objects that were asked for in the place of their ids.
    pub(super) fn expand(&self, mut object: Value, params: &Params) -> Outcome {
        let Some(paths) = params.texts("expand")? else { return Ok(object) };
        if paths.len() > MAX_PATHS {
            return Err(StripeError::invalid("Too many properties to expand").param("expand"));
        }
        for path in &paths {
            let parts: Vec<&str> = path.split('.').collect();
            if parts.len() > MAX_DEPTH {
                let message = format!("You cannot expand more than {MAX_DEPTH} levels of a property.");
                return Err(StripeError::invalid(message).param("expand"));
            }
            if !self.expand_path(&mut object, &parts) {
                let shown: String = path.chars().take(100).collect();
                let message = format!(
                    "This property cannot be expanded ({shown}). You may want to try expanding 'data.{shown}' on a list."
                );
                return Err(StripeError::invalid(message).param("expand"));
            }
        }
        Ok(object)
    }

    /// False: there is nothing of this name.
    fn expand_path(&self, value: &mut Value, path: &[&str]) -> bool {
        match value {
            // Sources of different kinds have different insides: it is enough that one has it.
            Value::Array(items) if items.is_empty() => true,
            Value::Array(items) => {
                let known: Vec<bool> = items.iter_mut().map(|item| self.expand_path(item, path)).collect();
                known.contains(&true)
            }
            Value::String(id) => match self.object(id) {
                Some(mut object) => {
                    let known = self.expand_path(&mut object, path);
                    *value = object;
                    known
                }
                None => false,
            },
            Value::Object(map) => {
                let Some((first, rest)) = path.split_first() else { return true };
                match map.get_mut(*first) {
                    Some(inner) => self.expand_path(inner, rest),
                    None => false,
                }
            }
            // What is not there has nothing inside, either.
            Value::Null => true,
            Value::Bool(_) | Value::Number(_) => path.is_empty(),
        }
    }

    /// Any object by its id.
    pub(super) fn object(&self, id: &str) -> Option<Value> {
        let (prefix, _) = id.split_once('_')?;
        match prefix {
            "cus" => self.customers.get(id).map(|row| self.show_customer(row)),
            "pm" => self.methods.get(id).map(|row| self.show_method(row)),
            "seti" => self.setups.get(id).map(|row| self.show_setup(row)),
            "pi" => self.intents.get(id).map(|row| self.show_intent(row)),
            "ch" => self.charges.get(id).map(|row| self.show_charge(row)),
            "re" => self.refunds.get(id).map(|row| self.show_refund(row)),
            "du" => self.disputes.get(id).map(|row| self.show_dispute(row)),
            "txn" => self.movements.get(id).map(|row| self.show_movement(row)),
            _ => None,
        }
    }
}
